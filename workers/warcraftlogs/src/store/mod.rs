//! What the fleet stores, in its own terms. One narrow trait per collection; one file per backend.

mod directory;
mod discovers;
mod import_counts;
mod milestones;
#[cfg(feature = "mongodb")]
mod mongo;
mod pass;
mod pause;
mod refreshed;
mod rule;
mod sqlite;
mod sqlite_directory;
mod sqlite_discovers;
mod sqlite_milestones;
mod sqlite_players;
mod sqlite_refreshed;
mod sqlite_refusals;
mod sqlite_rests;
mod sqlite_rules;
mod sqlite_standings;
mod sqlite_zones;
mod unit_results;
mod zones;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stint_core::ports::PortResult;

use crate::model::{Player, PlayerId, Server, Unit, extended_date};
pub use directory::Directory;
pub use discovers::{Backlog, Discovered, Discovers, Due, Freshness};
pub use import_counts::ImportCounts;
pub use milestones::{Milestone, MilestoneTimes, Milestones};
#[cfg(feature = "mongodb")]
pub use mongo::MongoStore;
pub use pass::{Chunk, Pass, PassSummary, RuleDoubt};
pub use pause::Pause;
pub use refreshed::{RESULTS_KEPT, RefreshOutcome, RefreshResult, RefreshResults};
pub use rule::{LAST_PAGE, METRICS, Rule, parse_partition, parse_size};
pub use sqlite::SqliteStore;
pub use unit_results::{
    FetchedPlayer, PlayerResults, REFUSALS_IN_A_ROW, Refusals, StoredResults, UnitResult, UnitResults,
};
pub use zones::{Frozen, Zones};

/// A rule leased to one discovery. The holder of an older lease can no longer change anything.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The rule.
    pub rule: Rule,
    /// The progress of an earlier discovery, if one was interrupted.
    pub pass: Option<Pass>,
    /// The start of the last finished pass over these pages: anything newer has not been listed.
    pub listed_until: Option<Timestamp>,
    /// The result of that pass.
    pub last: Option<PassSummary>,
    /// Whether an operator says that what was doubted about the rule is right.
    pub accepted: bool,
    /// When it became known that the rule's raid is frozen, if it is.
    pub frozen_since: Option<Timestamp>,
    /// Grows with each claim of the rule: it fences off a discovery whose lease has expired.
    pub lease: u64,
}

impl Claim {
    /// Whether the raid is frozen and was read to the end since: there is nothing new to find.
    pub fn is_settled(&self) -> bool {
        self.pass.is_none() && self.frozen_since.is_some_and(|since| self.rule.last_run > Some(since))
    }
}

/// A rule as an operator sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleStatus {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// The end of the lease of the discovery that works on it.
    pub leased_until: Option<Timestamp>,
    /// The pause of the rule, and its reason: set after a ban, for example.
    #[serde(rename = "resting")]
    pub pause: Option<Pause>,
    /// The pass under way.
    pub pass: Option<Pass>,
    /// Why the rule's pages are implausible.
    pub doubt: Option<RuleDoubt>,
    /// Whether an operator says that they are right.
    pub accepted: bool,
}

/// An upstream that no discovery calls for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UpstreamPause {
    /// Its name, as returned by [`PlayerSource::upstream`](crate::discovery::PlayerSource::upstream).
    pub upstream: String,
    /// The end of the pause, and its reason.
    #[serde(flatten)]
    pub pause: Pause,
}

/// Discovery rules, their leases, and the paused upstreams.
#[async_trait]
pub trait Rules: Send + Sync {
    /// All rules on one page, in the order of raid, difficulty, first page.
    async fn list(&self) -> PortResult<Page<RuleStatus, ()>>;

    /// Adds a rule, or replaces the rule with the same id. Its progress is deleted if its pages changed, its refusals
    /// always.
    async fn put(&self, rule: &Rule) -> PortResult<()>;

    /// Removes a rule. Returns whether there was one.
    async fn remove(&self, id: &str) -> PortResult<bool>;

    /// Leases the rule that has waited longest among those that last ran before `due_before`, that have no lease and
    /// that are not paused; for `lease`. Two callers never hold the same rule.
    async fn claim_due(&self, due_before: Timestamp, lease: Duration) -> PortResult<Option<Claim>>;

    /// Stores the progress of a pass, and renews the lease. `false`: another discovery has the rule, so the caller must
    /// stop.
    async fn store_progress(&self, claim: &Claim, pass: &Pass, lease: Duration) -> PortResult<bool>;

    /// Ends a pass that read everything: sets `lastRun`, replaces the progress by when the pass began and what it
    /// found, clears the doubt, gives the rule back. `false` as above.
    async fn finish(&self, claim: &Claim, pass: &Pass, ran_at: Timestamp) -> PortResult<bool>;

    /// Gives the rule back with its progress stored, to continue at once or after a pause.
    async fn give_back(&self, claim: &Claim, pause: Option<Pause>) -> PortResult<()>;

    /// Gives the rule back, paused until `until`, with `doubt` in place of an earlier one. Stores `pass` as its
    /// progress, or deletes all progress if it is `None`. `false` as above.
    async fn doubt(&self, claim: &Claim, pass: Option<&Pass>, doubt: &RuleDoubt, until: Timestamp) -> PortResult<bool>;

    /// Accepts what is doubted about a rule, and ends its pause: the next discovery accepts its pages as they are.
    /// Returns whether there was a doubt.
    async fn accept(&self, id: &str) -> PortResult<bool>;

    /// The upstreams that were ever paused, in the order of their names. Pauses that are over are included.
    async fn upstreams(&self) -> PortResult<Vec<UpstreamPause>>;

    /// Pauses an upstream, in every process. Of two pauses the later end counts.
    async fn pause_upstream(&self, pause: &UpstreamPause) -> PortResult<()>;

    /// Ends the pause of an upstream. Returns whether there was one.
    async fn resume_upstream(&self, upstream: &str) -> PortResult<bool>;
}

/// A stored document that cannot be decoded. It stays where it is; processing continues without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damaged {
    /// The document's id, as text.
    pub id: String,
    /// The error, with the field's name.
    pub reason: String,
}

/// Documents in the order of their key, and where the next page begins.
#[derive(Clone, Debug)]
pub struct Page<T, K> {
    /// The decoded documents.
    pub documents: Vec<T>,
    /// The documents that could not be decoded.
    pub damaged: Vec<Damaged>,
    /// The next page starts after this key. `None` if this was the last page.
    pub next: Option<K>,
}

/// A player that will never have ranks, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dropped {
    /// The player.
    #[serde(rename = "_id")]
    pub id: PlayerId,
    /// Hidden, unknown or never classed.
    pub reason: DropReason,
    /// When the upstream said so.
    #[serde(with = "extended_date")]
    pub at: Timestamp,
}

/// Why the upstream will never have ranks of a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// The player hides its ranks.
    Hidden,
    /// There is no such id.
    Unknown,
    /// The upstream never learned the player's class.
    NeverClassed,
    /// It is a former id of another player: its ranks are stored under the id that the upstream keeps.
    Merged,
    /// The upstream refuses everything that the player was discovered in.
    Refused,
}

/// A player that is not requested, because the upstream refuses everything that its message asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedPlayer {
    /// The player.
    pub id: PlayerId,
    /// The refused raids and difficulties, with the upstream's reasons.
    pub refused: Vec<(Unit, String)>,
    /// Whether nothing was stored of the player before: then it is dropped, as [`DropReason::Refused`].
    pub is_unknown: bool,
}

impl RefusedPlayer {
    /// The drop to record for an unknown player, in addition to its refusals.
    pub fn dropped(&self, at: Timestamp) -> Option<Dropped> {
        self.is_unknown.then_some(Dropped { id: self.id, reason: DropReason::Refused, at })
    }
}

/// The position at which a page of players begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlayerKey {
    /// The region.
    pub region: String,
    /// The server, by slug, name and normalised name.
    pub server: (String, String, String),
    /// The player.
    pub id: PlayerId,
}

impl PlayerKey {
    /// The position of `player`.
    pub fn of(player: &Player) -> PlayerKey {
        let Server { slug, name, normalized_name } = player.server.clone();
        PlayerKey { region: player.region.clone(), server: (slug, name, normalized_name), id: player.id }
    }
}

/// Players and their ranks.
#[async_trait]
pub trait Players: Send + Sync {
    /// Stores what was fetched, all in one round trip: the given (raid, difficulty) pairs replace those of the stored
    /// document, others stay. A player that was dropped is no longer dropped. Idempotent.
    async fn upsert(&self, players: &[Player]) -> PortResult<()>;

    /// Stores players from elsewhere. For a player that is stored already, the version updated last wins; of the other,
    /// only the missing (raid, difficulty) pairs are added, and nothing else: neither a name nor a standing. A player
    /// that was dropped since stays dropped. Idempotent.
    async fn import(&self, players: &[Player]) -> PortResult<ImportCounts>;
    /// Stores what responses brought: ranks like [`Players::upsert`], and the result of each raid and difficulty.
    async fn store(&self, fetched: &[FetchedPlayer]) -> PortResult<()>;

    /// Records players that are not requested, because the upstream refuses it: their messages are done. For an unknown
    /// player, both the refusal and the drop are recorded; until then the player stays unknown to [`Players::known`].
    /// Idempotent.
    async fn refuse(&self, refused_players: &[RefusedPlayer], at: Timestamp) -> PortResult<()>;

    /// Reads the results of these players, and the refusals for all players, in one round trip.
    async fn known(&self, ids: &[PlayerId]) -> PortResult<StoredResults>;

    /// Records players that will never have ranks. Ranks that are already stored stay.
    async fn drop_players(&self, dropped: &[Dropped]) -> PortResult<()>;

    /// At most `max` documents after `after`, in the order of region, server (slug, name,
    /// normalised name) and id.
    async fn page(&self, after: Option<&PlayerKey>, max: usize) -> PortResult<Page<Player, PlayerKey>>;

    /// At most `max` documents with an id above `after`, as JSON, in the order of ids: the fastest way to read all of
    /// them. The caller decodes them, and reports which are damaged.
    async fn documents(&self, after: Option<PlayerId>, max: usize) -> PortResult<Page<(PlayerId, String), PlayerId>>;

    /// One player.
    async fn get(&self, id: PlayerId) -> PortResult<Option<Player>>;

    /// At most `max` dropped players with an id above `after`.
    async fn dropped_page(&self, after: Option<PlayerId>, max: usize) -> PortResult<Page<Dropped, PlayerId>>;

    /// Number of players.
    async fn counts(&self) -> PortResult<PlayerCounts>;
}

/// How many players are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlayerCounts {
    /// With ranks.
    pub ranked: u64,
    /// Dropped for good.
    pub dropped: u64,
}
