//! What the fleet keeps, in the fleet's own words. One narrow trait per collection; one file per backend.

mod answers;
mod directory;
mod discovers;
mod milestones;
mod mongo;
mod mongo_directory;
mod mongo_discovers;
mod mongo_documents;
mod mongo_milestones;
mod mongo_players;
mod mongo_progress;
mod mongo_refreshed;
mod mongo_refusals;
mod mongo_rests;
mod mongo_rules;
mod mongo_standings;
mod mongo_taken_over;
mod mongo_zones;
mod pass;
mod refreshed;
mod rest;
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
mod taken_over;
mod zones;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stint_core::ports::PortResult;

use crate::model::{Player, PlayerId, Server, Unit, extended_date};
pub use answers::{Answered, Answers, Fetched, Known, REFUSALS_IN_A_ROW, Refusals, UnitAnswer};
pub use directory::Directory;
pub use discovers::{Backlog, Discovered, Discovers, Due, Freshness};
pub use milestones::{Milestone, Milestones, Reached};
pub use mongo::MongoStore;
pub use pass::{Chunk, Doubt, Pass, Seen};
pub use refreshed::{ANSWERS_KEPT, RefreshAnswer, RefreshAnswers, Refreshed};
pub use rest::Rest;
pub use rule::{LAST_PAGE, METRICS, Rule, parse_partition, parse_size};
pub use sqlite::SqliteStore;
pub use taken_over::TakenOver;
pub use zones::{Frozen, Zones};

/// A rule on loan to one discovery. Whoever holds an older lease can change nothing any more.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The rule.
    pub rule: Rule,
    /// How far an earlier discovery has come, if one was interrupted.
    pub pass: Option<Pass>,
    /// When the last pass over these pages had begun that was finished: what is newer it has not listed.
    pub listed_until: Option<Timestamp>,
    /// What that pass came to.
    pub last: Option<Seen>,
    /// An operator says that what was doubted of the rule is right.
    pub accepted: bool,
    /// When the rule's raid was known to be frozen, if it is.
    pub frozen_since: Option<Timestamp>,
    /// Grows with each claim of the rule: the fence against a discovery that was thought dead.
    pub lease: u64,
}

impl Claim {
    /// Whether the raid is frozen, and was read to the end since: there is nothing new to find.
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
    /// Until when a discovery works on it.
    pub leased_until: Option<Timestamp>,
    /// Not before then, and why: set after a ban.
    pub resting: Option<Rest>,
    /// The pass that is under way.
    pub pass: Option<Pass>,
    /// What the rule's pages came to that makes no sense.
    pub doubt: Option<Doubt>,
    /// An operator says that it is right.
    pub accepted: bool,
}

/// An upstream that every discovery leaves alone for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UpstreamRest {
    /// Its name, as [`PlayerSource::upstream`](crate::discovery::PlayerSource::upstream) has it.
    pub upstream: String,
    /// Until when, and why.
    #[serde(flatten)]
    pub rest: Rest,
}

/// Discovery rules, who works on them, and which upstreams are left alone.
#[async_trait]
pub trait Rules: Send + Sync {
    /// All rules on one page, in the order of raid, difficulty, first page.
    async fn list(&self) -> PortResult<Page<RuleStatus, ()>>;

    /// Adds a rule, or replaces the one of the same id. Its progress is forgotten when its pages changed, its refusals always.
    async fn put(&self, rule: &Rule) -> PortResult<()>;

    /// Removes a rule. Answers whether there was one.
    async fn remove(&self, id: &str) -> PortResult<bool>;

    /// Lends the rule that has waited longest among those that ran before `due_before`, that nobody works on and
    /// that are not resting; for `lease`. Two callers never hold the same rule.
    async fn claim_due(&self, due_before: Timestamp, lease: Duration) -> PortResult<Option<Claim>>;

    /// Keeps how far a pass has come, and renews the lease. `false`: another discovery has the rule, stop.
    async fn keep(&self, claim: &Claim, pass: &Pass, lease: Duration) -> PortResult<bool>;

    /// Ends a pass that read everything: sets `lastRun`, keeps of the progress when the pass began and what it came to,
    /// forgets what was doubted, gives the rule back. `false` as above.
    async fn finish(&self, claim: &Claim, pass: &Pass, ran_at: Timestamp) -> PortResult<bool>;

    /// Gives the rule back with its progress kept, to go on at once or after a rest.
    async fn give_back(&self, claim: &Claim, rest: Option<Rest>) -> PortResult<()>;

    /// Gives the rule back with `doubt` in place of an earlier one, to rest until `until`. Keeps `pass` as its progress, or
    /// forgets all progress without one. `false` as above.
    async fn doubt(&self, claim: &Claim, pass: Option<&Pass>, doubt: &Doubt, until: Timestamp) -> PortResult<bool>;

    /// Takes what is doubted of a rule for right, and ends its rest: the next discovery takes its pages as they are. Returns
    /// whether anything is doubted of it.
    async fn accept(&self, id: &str) -> PortResult<bool>;

    /// The upstreams that were ever left alone, in the order of their names. A rest that is over is kept.
    async fn upstreams(&self) -> PortResult<Vec<UpstreamRest>>;

    /// Leaves an upstream alone, in every process. Of two rests the one that ends later is kept.
    async fn rest_upstream(&self, rest: &UpstreamRest) -> PortResult<()>;

    /// Ends the rest of an upstream. Returns whether there was one.
    async fn wake_upstream(&self, upstream: &str) -> PortResult<bool>;
}

/// A stored document that cannot be read. It stays where it is; everything else goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damaged {
    /// The document's id, as text.
    pub id: String,
    /// What is wrong, with the field's name.
    pub reason: String,
}

/// Documents in the order of their key, and where the next page begins.
#[derive(Clone, Debug)]
pub struct Page<T, K> {
    /// Those that could be read.
    pub documents: Vec<T>,
    /// Those that could not.
    pub damaged: Vec<Damaged>,
    /// Ask for the next page after this key. `None` when this was the last.
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
    /// It is another id's former self: its ranks are stored under the id that the upstream keeps.
    Merged,
    /// The upstream refuses all that the player was discovered in.
    Refused,
}

/// A player that is not asked for, because the upstream refuses all that its message asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unasked {
    /// The player.
    pub id: PlayerId,
    /// What is refused, with the upstream's reasons.
    pub refused: Vec<(Unit, String)>,
    /// Whether nothing was known of the player before: then it is dropped, as [`DropReason::Refused`].
    pub is_unknown: bool,
}

impl Unasked {
    /// What is recorded of an unknown player beside its refusals.
    pub fn dropped(&self, at: Timestamp) -> Option<Dropped> {
        self.is_unknown.then_some(Dropped { id: self.id, reason: DropReason::Refused, at })
    }
}

/// Where a page of players begins.
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
    /// The place of `player`.
    pub fn of(player: &Player) -> PlayerKey {
        let Server { slug, name, normalized_name } = player.server.clone();
        PlayerKey { region: player.region.clone(), server: (slug, name, normalized_name), id: player.id }
    }
}

/// Players and their ranks.
#[async_trait]
pub trait Players: Send + Sync {
    /// Stores what was fetched, all in one round trip: the (raid, difficulty) that are given replace those of the
    /// stored document, others stay. The same twice changes nothing. A player that was dropped is one no more.
    async fn upsert(&self, players: &[Player]) -> PortResult<()>;

    /// Stores players from elsewhere. Of a player that is stored already, what was updated last counts; the other adds the
    /// (raid, difficulty) that are missing, and nothing else: neither a name nor a standing, and a player that was dropped since
    /// stays dropped. The same twice changes nothing.
    async fn take_over(&self, players: &[Player]) -> PortResult<TakenOver>;
    /// Stores what answers brought: ranks like [`Players::upsert`], and what came of each raid and difficulty.
    async fn store(&self, answered: &[Answered]) -> PortResult<()>;

    /// Records players that are not asked for, because the upstream refuses it: their messages are done. Of a player that is
    /// unknown, both the refusal and the drop are recorded, or it is still unknown to [`Players::known`]. The same twice
    /// changes nothing.
    async fn refuse(&self, unasked: &[Unasked], at: Timestamp) -> PortResult<()>;

    /// What was fetched of these players, and what is refused to all of them, in one round trip.
    async fn known(&self, ids: &[PlayerId]) -> PortResult<Known>;

    /// Records players that will never have ranks. Ranks that are already stored stay.
    async fn drop_players(&self, dropped: &[Dropped]) -> PortResult<()>;

    /// At most `max` documents after `after`, in the order of region, server (slug, name,
    /// normalised name) and id.
    async fn page(&self, after: Option<&PlayerKey>, max: usize) -> PortResult<Page<Player, PlayerKey>>;

    /// At most `max` documents with an id above `after`, as JSON, in the order of ids: the quickest way through all of them.
    /// Whoever asks reads them, and says which are damaged.
    async fn documents(&self, after: Option<PlayerId>, max: usize) -> PortResult<Page<(PlayerId, String), PlayerId>>;

    /// One player.
    async fn get(&self, id: PlayerId) -> PortResult<Option<Player>>;

    /// At most `max` dropped players with an id above `after`.
    async fn dropped_page(&self, after: Option<PlayerId>, max: usize) -> PortResult<Page<Dropped, PlayerId>>;

    /// How many there are.
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
