//! The fleet's stores for a process that may be killed before and after every call.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use stint_http::{Body, RequestLimits, Transport, TransportError};
use stint_testkit::{fault_injected_port, faulty_store};
use stint_warcraftlogs::model::{Player, PlayerId, RaidId};
use stint_warcraftlogs::player_ref::PlayerRef;
use stint_warcraftlogs::store::{
    Backlog, Claim, Discovered, Discovers, Dropped, Due, FetchedPlayer, Freshness, Frozen, ImportCounts, Milestone,
    MilestoneTimes, Milestones, Page, Pass, Pause, PlayerCounts, PlayerKey, Players, RefreshResult, RefreshResults,
    RefusedPlayer, Rule, RuleDoubt, RuleStatus, Rules, StoredResults, UpstreamPause, Zones,
};

faulty_store!(FaultyStore);

fault_injected_port! { FaultyStore, Rules {
    list() -> Page<RuleStatus, ()>;
    put(rule: &Rule) -> ();
    remove(id: &str) -> bool;
    claim_due(due_before: Timestamp, lease: Duration) -> Option<Claim>;
    store_progress(claim: &Claim, pass: &Pass, lease: Duration) -> bool;
    finish(claim: &Claim, pass: &Pass, ran_at: Timestamp) -> bool;
    give_back(claim: &Claim, pause: Option<Pause>) -> ();
    doubt(claim: &Claim, pass: Option<&Pass>, doubt: &RuleDoubt, until: Timestamp) -> bool;
    accept(id: &str) -> bool;
    upstreams() -> Vec<UpstreamPause>;
    pause_upstream(pause: &UpstreamPause) -> ();
    resume_upstream(upstream: &str) -> bool;
} }

fault_injected_port! { FaultyStore, Discovers {
    merge(seen: &[Discovered]) -> ();
    page(after: Option<PlayerId>, max: usize) -> Page<Discovered, PlayerId>;
    due(after: Option<PlayerId>, max: usize, freshness: &Freshness) -> Page<Due, PlayerId>;
    get(ids: &[PlayerId]) -> Page<Discovered, PlayerId>;
    still_wanted(players: &[Discovered]) -> Vec<Discovered>;
    mark_sent(sent: &[Discovered], queued_at: Timestamp) -> ();
    forget_queued() -> ();
    count() -> u64;
    backlog(freshness: &Freshness) -> Backlog;
} }

fault_injected_port! { FaultyStore, Zones {
    claim_check(raids: &[RaidId], until: Timestamp) -> Vec<RaidId>;
    record_check(raids: &[(RaidId, bool)], now: Timestamp, ask_again_at: Timestamp) -> ();
    frozen() -> Frozen;
    clear_frozen() -> ();
} }

fault_injected_port! { FaultyStore, Players {
    upsert(players: &[Player]) -> ();
    import(players: &[Player]) -> ImportCounts;
    store(fetched: &[FetchedPlayer]) -> ();
    refuse(refused_players: &[RefusedPlayer], at: Timestamp) -> ();
    known(ids: &[PlayerId]) -> StoredResults;
    drop_players(dropped: &[Dropped]) -> ();
    page(after: Option<&PlayerKey>, max: usize) -> Page<Player, PlayerKey>;
    documents(after: Option<PlayerId>, max: usize) -> Page<(PlayerId, String), PlayerId>;
    get(id: PlayerId) -> Option<Player>;
    dropped_page(after: Option<PlayerId>, max: usize) -> Page<Dropped, PlayerId>;
    counts() -> PlayerCounts;
} }

fault_injected_port! { FaultyStore, Milestones {
    reached() -> MilestoneTimes;
    pass(milestone: Milestone, at: Timestamp) -> ();
} }

fault_injected_port! { FaultyStore, RefreshResults {
    store_results(refresh_results: &[RefreshResult]) -> ();
    latest_result(player_ref: &PlayerRef) -> Option<RefreshResult>;
} }

#[async_trait]
impl Transport for FaultyStore<dyn Transport> {
    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: RequestLimits,
    ) -> Result<http::Response<Body>, TransportError> {
        let lost = |reason: &str| TransportError::Broken { host: "standin".into(), reason: reason.into() };
        self.faults.kill_point().await.map_err(|_| lost("on the way there"))?;
        let response = self.port.open(request, limits).await;
        self.faults.kill_point().await.map_err(|_| lost("on the way back"))?;
        response
    }
}
