//! Fills the stores of a home folder as a running fleet would.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use stint_core::circuit::{Circuit, CircuitSettings, Health, Intent, Pass as Right};
use stint_core::clock::{Clock, ManualClock, after, before};
use stint_core::ledger::{CallEnd, KeyId, KeyRefusal, LedgerSettings, Reading, ReadingClaim};
use stint_core::points::Points;
use stint_core::ports::{Breakers, KeyPool, NewMessage, Parked, Queue, QueueSettings, Wakeups};
use stint_embedded::{Embedded, Host, Mode};
use stint_host::SystemClock;
use stint_warcraftlogs::budget::REVIVE;
use stint_warcraftlogs::message::QUEUE;
use stint_warcraftlogs::model::{Player, RaidsToScrap};
use stint_warcraftlogs::store::{
    Chunk, Claim, Discovered, Discovers, DropReason, Dropped, MilestoneTimes, Milestones, Pass, PassSummary, Pause,
    Players, Rule, RuleDoubt, Rules, SqliteStore, UpstreamPause,
};

pub(crate) const PLAYER: &str = r#"{"_id":57147396,"name":"Ånn","classId":4,"region":"EU","server":{"name":"Tarren Mill","slug":"tarren-mill","normalizedName":"TarrenMill"},"updatedAt":{"$date":"2026-11-20T10:00:00Z"},"raids":{"26":{"4":{"metric":"dps","best":91.2,"median":80.1,"encounters":{"2398":{"best":95.3,"median":80.0,"kills":12,"spec":"Fire"}}}}}}"#;

fn rule(number: u8, raid: u32, difficulty: u32, last_run: Option<Timestamp>) -> Rule {
    Rule { id: format!("{number:024x}"), raid, difficulty, start_page: 1, end_page: 600, last_run, ..Rule::default() }
}

/// A home folder of a fleet with work in progress.
pub(crate) struct HomeFixture {
    embedded: Embedded,
    /// A minute behind the program's clock, so that everything done here is in the program's past.
    clock: ManualClock,
    store: SqliteStore,
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

impl HomeFixture {
    pub(crate) fn open(home: &Path) -> HomeFixture {
        let clock = ManualClock::new(before(SystemClock.now(), Duration::from_secs(60)));
        let embedded = Embedded::open(home, Mode::Inline, Arc::new(clock.clone())).unwrap();
        let store = SqliteStore::open(&embedded, Arc::new(clock.clone())).unwrap();
        HomeFixture { embedded, clock, store }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn queue(&self) -> Arc<dyn Queue> {
        let settings = QueueSettings { visibility_timeout: Duration::from_secs(600), max_receives: 5 };
        self.embedded.queue(QUEUE, settings)
    }

    fn pool(&self) -> Arc<dyn KeyPool> {
        self.embedded.key_pool(LedgerSettings::without_reserve(Duration::from_secs(3600))).unwrap()
    }

    /// Opens the breaker of `upstream` because of a challenge.
    pub(crate) async fn outage(&self, upstream: &str) {
        let settings = CircuitSettings::for_calls_of(Duration::from_secs(90));
        let (breakers, mut circuit) = (self.embedded.breakers(), Circuit::default());
        let challenged = Health::Banned("a challenge for humans (status 403)".into());
        circuit.report(Right::Free, &challenged, &settings, self.now(), 0).unwrap();
        assert!(breakers.replace(upstream, 0, &circuit).await.unwrap());
    }

    /// Returns whether the breaker of `upstream` permits a probe now.
    pub(crate) async fn is_probe_due(&self, upstream: &str) -> bool {
        let settings = CircuitSettings::for_calls_of(Duration::from_secs(90));
        let circuit = self.embedded.breakers().load(upstream).await.unwrap().1;
        circuit.waits(Intent::Probe, &settings, SystemClock.now()).is_none()
    }

    /// Adds four rules: one being read, one resting, one due and one fresh.
    pub(crate) async fn rules(&self) {
        let now = self.now();
        let yesterday = before(now, Duration::from_secs(25 * 3600));
        self.resting_rule().await;
        self.store.put(&rule(2, 28, 4, Some(yesterday))).await.unwrap();
        let claim = self.claim().await;
        let chunks =
            vec![Chunk { next: 101, last: 200 }, Chunk { next: 221, last: 400 }, Chunk { next: 401, last: 600 }];
        let pass = Pass { started_at: now, chunks, end: None, seen: PassSummary::default() };
        assert!(self.store.store_progress(&claim, &pass, Duration::from_secs(300)).await.unwrap());
        self.store.put(&rule(3, 29, 5, None)).await.unwrap();
        self.store.put(&rule(4, 99, 5, Some(now))).await.unwrap();
    }

    /// Adds a rule whose first page is implausible, and an upstream that rejected discovery. Returns the rule's id.
    pub(crate) async fn doubted(&self) -> String {
        let now = self.now();
        self.store.put(&rule(5, 26, 4, Some(before(now, Duration::from_secs(25 * 3600))))).await.unwrap();
        let claim = self.claim().await;
        let reason = "page 1, the first of the rule, names no player".to_owned();
        let doubt = RuleDoubt { at: now, reason, sample: Some("<table><tr id=\"line-1\">\u{1b}[2J</table>".into()) };
        let until = after(now, Duration::from_secs(3600));
        assert!(self.store.doubt(&claim, None, &doubt, until).await.unwrap());
        self.resting_upstream("www.warcraftlogs.com/zone/rankings").await;
        claim.rule.id
    }

    /// Adds an upstream that rejected discovery and rests for an hour.
    pub(crate) async fn resting_upstream(&self, upstream: &str) {
        let until = after(self.now(), Duration::from_secs(3600));
        let pause = Pause { until, reason: "the site refused the request: status 403 for page 1".into() };
        let upstream = upstream.to_owned();
        self.store.pause_upstream(&UpstreamPause { upstream, pause }).await.unwrap();
    }

    /// Adds a rule that rests for an hour.
    pub(crate) async fn resting_rule(&self) {
        let now = self.now();
        self.store.put(&rule(1, 26, 3, Some(before(now, Duration::from_secs(25 * 3600))))).await.unwrap();
        let claim = self.claim().await;
        let pause = Pause { until: after(now, Duration::from_secs(3600)), reason: "the site answered 403".into() };
        self.store.give_back(&claim, Some(pause)).await.unwrap();
    }

    async fn claim(&self) -> Claim {
        self.store.claim_due(self.now(), Duration::from_secs(300)).await.unwrap().unwrap()
    }

    /// Adds players in every stage: discovered, queued, dead-lettered, parked, ranked and dropped.
    pub(crate) async fn players(&self) {
        let seen = [7, 8].map(|id| Discovered { id, raids_to_scrap: RaidsToScrap::one(26, 3) });
        self.store.merge(&seen).await.unwrap();
        let player: Player = serde_json::from_str(PLAYER).unwrap();
        self.store.upsert(&[player]).await.unwrap();
        let dropped = Dropped { id: 9, reason: DropReason::Hidden, at: self.now() };
        self.store.drop_players(&[dropped]).await.unwrap();
        let bodies = [r#"{"id":10,"raidsToScrap":{"26":[3]}}"#, r#"{"id":0,"raidsToScrap":{"26":[3]}}"#];
        let queue = self.queue();
        queue.send(&bodies.map(NewMessage::new)).await.unwrap();
        self.clock.advance(Duration::from_secs(1));
        let deliveries = queue.receive(10).await.unwrap();
        queue.release(&[deliveries[0].receipt.clone()], Duration::ZERO, "the upstream answered 502").await.unwrap();
        queue.reject(&deliveries[1].receipt, "field id: 0 is not a player's id\n(1 to 2147483647)").await.unwrap();
        let body = r#"{"id":11,"raidsToScrap":{"26":[3]}}"#.to_owned();
        let parked = Parked { id: "11".into(), queue: QUEUE.into(), body, parked_at: self.now() };
        self.pool().park(&[parked]).await.unwrap();
    }

    /// Adds a dead letter to the queue with this name.
    pub(crate) async fn dead_letter(&self, queue: &str) {
        let settings = QueueSettings { visibility_timeout: Duration::from_secs(600), max_receives: 5 };
        let queue = self.embedded.queue(queue, settings);
        queue.send(&[NewMessage::new("{}")]).await.unwrap();
        self.clock.advance(Duration::from_secs(1));
        queue.reject(&queue.receive(1).await.unwrap()[0].receipt, "missing field `id`").await.unwrap();
    }

    /// Adds two more discovered players, one of which waits in the queue.
    pub(crate) async fn one_waits(&self) {
        let seen = [20, 21].map(|id| Discovered { id, raids_to_scrap: RaidsToScrap::one(26, 3) });
        self.store.mark_sent(&seen[..1], self.now()).await.unwrap();
        self.store.merge(&seen).await.unwrap();
    }

    /// Adds a key that is nearly spent and has a past window, and a key that was never read.
    pub(crate) async fn keys(&self) {
        let pool = self.pool();
        pool.configure(&[KeyId("key-1".into()), KeyId("key-2".into())]).await.unwrap();
        let claim = pool.claim_reading(Points::whole(5), Duration::from_secs(30)).await.unwrap().unwrap();
        assert_eq!(claim.key.0, "key-1");
        // A window ends when a later reading shows the next one.
        for (started, spent, resets_in) in [(claim.started, 17_000, 1), (u64::MAX, 17_997, 3600)] {
            let claim = ReadingClaim { started, ..claim.clone() };
            let (limit, spent) = (Points::whole(18_000), Points::whole(spent));
            let resets_in = Duration::from_secs(resets_in);
            let reading = Reading { limit, spent, resets_in, received_at: self.now() };
            pool.observe(&claim, CallEnd::Answered(reading)).await.unwrap();
        }
    }

    /// Marks the first key as refused by the upstream.
    pub(crate) async fn refuse_key(&self) {
        let until = after(self.now(), Duration::from_secs(900));
        let claim = ReadingClaim { key: KeyId("key-1".into()), started: 0 };
        let refused = CallEnd::Refused { until, why: KeyRefusal::Credentials };
        self.pool().observe(&claim, refused).await.unwrap();
    }

    /// Returns the workers that have a one-time wake-up.
    pub(crate) async fn woken(&self) -> Vec<String> {
        let wakeups = self.embedded.wakeups().list().await.unwrap();
        wakeups
            .into_iter()
            .filter(|wakeup| wakeup.period.is_none())
            .map(|wakeup| wakeup.worker.name.into_owned())
            .collect()
    }

    /// Returns the milestones that the fleet has passed.
    pub(crate) async fn reached(&self) -> MilestoneTimes {
        self.store.reached().await.unwrap()
    }

    /// Returns when the reviver is woken.
    pub(crate) async fn revival(&self) -> Option<Timestamp> {
        let wakeups = self.embedded.wakeups().list().await.unwrap();
        wakeups.into_iter().find(|wakeup| wakeup.name == REVIVE).map(|wakeup| wakeup.at)
    }

    /// Records a process that runs the fleet, now and by the program's clock.
    pub(crate) async fn host(&self) {
        let host = Host::new(1, vec![stint_warcraftlogs::FLEET.into()], SystemClock.now());
        self.embedded.hosts().heartbeat(&host, SystemClock.now()).await.unwrap();
    }

    /// Sets the schedules of a running fleet, and the reviver's wake-up.
    pub(crate) async fn schedules(&self) {
        let wakeups = self.embedded.wakeups();
        for (name, minutes) in [("discover", 30), ("aggregator", 180), ("reviver", 60), ("db-generator", 1440)] {
            wakeups
                .every(
                    &format!("schedule-{name}"),
                    &stint_warcraftlogs::worker(name),
                    Duration::from_secs(minutes * 60),
                )
                .await
                .unwrap();
        }
        let at = after(self.now(), Duration::from_secs(600));
        wakeups.once(REVIVE, &stint_warcraftlogs::worker("reviver"), at).await.unwrap();
    }
}
