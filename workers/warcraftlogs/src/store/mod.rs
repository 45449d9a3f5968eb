//! What the fleet keeps, in the fleet's own words. One narrow trait per collection; one file per backend.

mod directory;
mod discovers;
mod mongo;
mod mongo_directory;
mod mongo_discovers;
mod mongo_documents;
mod mongo_players;
mod mongo_progress;
mod mongo_rules;
mod mongo_standings;
mod sqlite;
mod sqlite_directory;
mod sqlite_discovers;
mod sqlite_players;
mod sqlite_rules;
mod sqlite_standings;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stint_core::ports::PortResult;

use crate::model::{Difficulty, Player, PlayerId, RaidId, Server, extended_date};
pub use directory::Directory;
pub use discovers::{Backlog, Discovered, Discovers, Due, Freshness};
pub use mongo::MongoStore;
pub use sqlite::SqliteStore;

/// The last page that a rule may have: more than a hundred times as many as any ranking shows.
pub const LAST_PAGE: u32 = 100_000;

/// One document of the `discovery_schedules` collection: which pages to read again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// 24 hexadecimal digits.
    #[serde(rename = "_id", with = "object_id")]
    pub id: String,
    /// The raid whose rankings are read.
    pub raid: RaidId,
    /// In which difficulty.
    pub difficulty: Difficulty,
    /// The first page, from 1.
    pub start_page: u32,
    /// The last page; it is read too.
    pub end_page: u32,
    /// When a pass over the pages was last finished.
    #[serde(default, with = "last_run", skip_serializing_if = "Option::is_none")]
    pub last_run: Option<Timestamp>,
}

impl Rule {
    /// Says what is wrong with the rule's numbers, by the field's name.
    pub fn check(&self) -> Result<(), String> {
        if self.raid == 0 {
            return Err("raid: 0 is no raid; see `stint rules add --help`".into());
        }
        if !matches!(self.difficulty, 1..=5 | 10) {
            return Err(format!("difficulty: {} is none of 1 to 5 and 10", self.difficulty));
        }
        if self.start_page == 0 {
            return Err("startPage: pages are counted from 1".into());
        }
        if self.end_page < self.start_page {
            return Err(format!("endPage: {} comes before startPage {}", self.end_page, self.start_page));
        }
        if self.end_page > LAST_PAGE {
            return Err(format!("endPage: {} is beyond page {LAST_PAGE}, and no ranking is as long", self.end_page));
        }
        Ok(())
    }
}

/// A rule that one discovery works on, and how far it has come. Kept apart from the rule, whose document belongs to
/// existing deployments too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pass {
    /// When the pass began. Sources that list what is new list it up to here, so that pages do not shift.
    pub started_at: Timestamp,
    /// The page range in pieces.
    pub chunks: Vec<Chunk>,
    /// The first page that turned out to be past the end.
    pub end: Option<u32>,
}

/// A piece of a rule's page range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The next page to read.
    pub next: u32,
    /// The last page to read.
    pub last: u32,
}

impl Chunk {
    /// Whether every page was read.
    pub fn is_done(&self) -> bool {
        self.next > self.last
    }
}

impl Pass {
    /// A pass over the pages of `rule`, its last page included, in chunks of `pages_per_chunk`.
    pub fn begin(rule: &Rule, pages_per_chunk: u32, now: Timestamp) -> Pass {
        let starts = (rule.start_page..=rule.end_page).step_by(pages_per_chunk.max(1) as usize);
        let chunk =
            |next: u32| Chunk { next, last: rule.end_page.min(next.saturating_add(pages_per_chunk.max(1) - 1)) };
        Pass { started_at: now, chunks: starts.map(chunk).collect(), end: None }
    }

    /// Whether there is nothing left to read.
    pub fn is_done(&self) -> bool {
        self.chunks.iter().all(|chunk| chunk.is_done() || self.end.is_some_and(|end| chunk.next >= end))
    }
}

/// A rule on loan to one discovery. Whoever holds an older lease can change nothing any more.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The rule.
    pub rule: Rule,
    /// How far an earlier discovery has come, if one was interrupted.
    pub pass: Option<Pass>,
    /// When the last pass over these pages had begun that was finished: what is newer it has not listed.
    pub listed_until: Option<Timestamp>,
    /// Grows with each claim of the rule: the fence against a discovery that was thought dead.
    pub lease: u64,
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
}

/// Why a rule is left alone for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// Until when.
    pub until: Timestamp,
    /// In words.
    pub reason: String,
}

/// Discovery rules, and who works on them.
#[async_trait]
pub trait Rules: Send + Sync {
    /// All rules on one page, in the order of raid, difficulty, first page.
    async fn list(&self) -> PortResult<Page<RuleStatus, ()>>;

    /// Adds a rule, or replaces the one of the same id. Its progress is forgotten when its pages changed.
    async fn put(&self, rule: &Rule) -> PortResult<()>;

    /// Removes a rule. Answers whether there was one.
    async fn remove(&self, id: &str) -> PortResult<bool>;

    /// Lends the rule that has waited longest among those that ran before `due_before`, that nobody works on and
    /// that are not resting; for `lease`. Two callers never hold the same rule.
    async fn claim_due(&self, due_before: Timestamp, lease: Duration) -> PortResult<Option<Claim>>;

    /// Keeps how far a pass has come, and renews the lease. `false`: another discovery has the rule, stop.
    async fn keep(&self, claim: &Claim, pass: &Pass, lease: Duration) -> PortResult<bool>;

    /// Ends a pass that read everything: sets `lastRun`, keeps of the progress when the pass began, gives the rule back.
    /// `false` as above.
    async fn finish(&self, claim: &Claim, pass: &Pass, ran_at: Timestamp) -> PortResult<bool>;

    /// Gives the rule back with its progress kept, to go on at once or after a rest.
    async fn give_back(&self, claim: &Claim, rest: Option<Rest>) -> PortResult<()>;
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

/// Ids as MongoDB writes them: `{"$oid": "638190fc00bc58421e002c83"}`; a plain string is read too.
mod object_id {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct ObjectId {
        #[serde(rename = "$oid")]
        hex: String,
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Plain(String),
        Extended(ObjectId),
    }

    pub(super) fn serialize<S: Serializer>(id: &str, serializer: S) -> Result<S::Ok, S::Error> {
        ObjectId { hex: id.to_owned() }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        let (Form::Plain(hex) | Form::Extended(ObjectId { hex })) = Form::deserialize(deserializer)?;
        if hex.len() == 24 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(hex.to_ascii_lowercase());
        }
        Err(D::Error::custom(format!("'{hex}' is not an id of 24 hexadecimal digits")))
    }
}

/// `lastRun` as deployments have it: a date, or seconds since the epoch as a number (the original wrote floats).
mod last_run {
    use jiff::Timestamp;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::extended_date;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Seconds(f64),
        Date(#[serde(with = "extended_date")] Timestamp),
        Never(()),
    }

    pub(super) fn serialize<S: Serializer>(date: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match date {
            Some(date) => extended_date::serialize(date, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let form = Form::deserialize(deserializer)
            .map_err(|_| D::Error::custom("lastRun is neither a date nor a number of seconds"))?;
        match form {
            Form::Never(()) => Ok(None),
            Form::Date(date) => Ok(Some(date)),
            Form::Seconds(seconds) => Timestamp::from_millisecond((seconds * 1000.0).round() as i64)
                .map(Some)
                .map_err(|_| D::Error::custom(format!("lastRun: {seconds} s is not a date"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_run_is_read_as_a_date_and_as_float_seconds() {
        let document = |last_run: &str| {
            let text = format!(
                r#"{{"_id":{{"$oid":"638190fc00bc58421e002c83"}},"raid":26,"difficulty":3,"startPage":1,"endPage":600{last_run}}}"#
            );
            serde_json::from_str::<Rule>(&text).map(|rule| rule.last_run.map(|date| date.as_millisecond()))
        };
        assert_eq!(
            document(r#","lastRun":{"$date":{"$numberLong":"1669438300480"}}"#).unwrap(),
            Some(1_669_438_300_480)
        );
        assert_eq!(document(r#","lastRun":1669438300.48"#).unwrap(), Some(1_669_438_300_480));
        assert_eq!(document("").unwrap(), None);
        assert!(document(r#","lastRun":"yesterday""#).unwrap_err().to_string().contains("lastRun"));
    }

    #[test]
    fn the_last_page_belongs_to_a_pass_whatever_the_chunk_size() {
        let rule = |start_page, end_page| Rule {
            id: "0".repeat(24),
            raid: 26,
            difficulty: 3,
            start_page,
            end_page,
            last_run: None,
        };
        for (start, end, size) in [(1, 600, 200), (1, 601, 200), (1, 201, 200), (5, 5, 200), (1, 7, 3), (2, 8, 3)] {
            let pass = Pass::begin(&rule(start, end), size, Timestamp::UNIX_EPOCH);
            let pages: Vec<u32> = pass.chunks.iter().flat_map(|chunk| chunk.next..=chunk.last).collect();
            assert_eq!(pages, (start..=end).collect::<Vec<_>>(), "{start} to {end} by {size}");
        }
    }
}
