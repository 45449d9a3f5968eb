//! The fleet's settings. Each is documented here, once: this text is `--help`, `.env.example` and
//! `docs/configuration.md`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};
use secrecy::SecretString;
use stint_core::ledger::{KeyId, LedgerSettings, Tail};
use stint_core::points::Points;
use stint_core::worker::WorkerId;
use url::Url;

use crate::budget::{BudgetStrategy, CallBounds, PATIENCE};
use crate::client::longest_call;
use crate::discovery::DiscoverySource;
use crate::due_selection::QueueOrder;
use crate::lua::format::Precision;
use crate::lua::{DatabaseOptions, Field};
use crate::model::{Difficulty, RaidId};
use crate::publish::History;
use crate::publish::checks::{check_publishing, parse_author, parse_branch, parse_email};
use crate::rank_queries::RankSettings;
use crate::setting_values::{
    KeyParser, RepositoryParser, parse_budget, parse_call_timeout, parse_queue_hours, parse_steered, parse_tail,
};

pub use crate::setting_values::Key;

/// Time that storing the results of a call may take.
const STORING: Duration = Duration::from_secs(1);

/// The settings of the `warcraftlogs` fleet.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Settings of the warcraftlogs fleet")]
pub struct Settings {
    /// API keys as `id:secret`, separated by commas. Needed by the workers that call the API.
    #[arg(long, env = "WCL_KEYS", hide_env_values = true, value_delimiter = ',', value_parser = KeyParser)]
    pub wcl_keys: Vec<Key>,

    /// The address for GraphQL requests.
    #[arg(long, env = "WCL_API_URL", default_value = "https://www.warcraftlogs.com/api/v2/client")]
    pub wcl_api_url: Url,

    /// The address for access tokens.
    #[arg(long, env = "WCL_TOKEN_URL", default_value = "https://www.warcraftlogs.com/oauth/token")]
    pub wcl_token_url: Url,

    /// The site whose ranking pages are read.
    #[arg(long, env = "WCL_SITE_URL", default_value = "https://www.warcraftlogs.com/")]
    pub wcl_site_url: Url,

    /// The user agent of every request: a name and a way to contact you.
    #[arg(long, env = "WCL_USER_AGENT", default_value = concat!("stint/", env!("CARGO_PKG_VERSION")))]
    pub wcl_user_agent: String,

    /// The source of players: ranking pages, or the reports of the API, which cost points.
    #[arg(long, env = "DISCOVERY_SOURCE", value_enum, default_value_t = DiscoverySource::Pages)]
    pub discovery_source: DiscoverySource,

    /// A discovery rule is due again this many hours after its last run.
    #[arg(long, env = "DELAY_DISCOVERY_IN_HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..))]
    pub delay_discovery_in_hours: u32,

    /// How many hours a discovery rule that has never run looks back, with `DISCOVERY_SOURCE=reports`. The reports of a
    /// week name nearly every active player. Costs about one point per report.
    #[arg(long, env = "DISCOVERY_FIRST_LOOK_HOURS", default_value_t = 168, value_parser = clap::value_parser!(u32).range(1..=8760))]
    pub discovery_first_look_hours: u32,

    /// A discovered player is queued again this many hours after its ranks were fetched, and not before. Lower than
    /// `DELAY_DISCOVERY_IN_HOURS`, so that players that are discovered daily are refreshed daily.
    #[arg(long, env = "REFRESH_AFTER_HOURS", default_value_t = 20)]
    pub refresh_after_hours: u32,

    /// Fetch the ranks of frozen raids repeatedly, like those of other raids. Otherwise they are fetched once after the
    /// upstream has marked the raid as frozen, and its pages are read once. `stint wcl refresh` always fetches them.
    #[arg(long, env = "REFRESH_FROZEN", default_value_t = false, action = clap::ArgAction::Set)]
    pub refresh_frozen: bool,

    /// Which players are queued first if there are more players than points.
    #[arg(long, env = "QUEUE_ORDER", value_enum, default_value_t = QueueOrder::Stalest)]
    pub queue_order: QueueOrder,

    /// The queue holds about as many players as the keys can pay for in this many hours; the others wait in
    /// `discovers`, so that their order is decided late. From 6, because the aggregator runs every 3 hours, to 240,
    /// because a queue keeps a message for 14 days. 0 queues all players at once.
    #[arg(long, env = "QUEUE_HOURS", default_value_t = 24, value_parser = parse_queue_hours)]
    pub queue_hours: u32,

    /// A rule's pages are read in chunks of this many, at most 5 chunks at a time.
    #[arg(long, env = "PAGES_PER_THREAD", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub pages_per_thread: u32,

    /// The minimum time in milliseconds between two ranking pages. Requesting them faster gets an address banned.
    #[arg(long, env = "WCL_PAGE_INTERVAL_MS", default_value_t = 250)]
    pub wcl_page_interval_ms: u64,

    /// How long, in minutes, a site rests after it has rejected discovery, and a rule whose pages are implausible.
    #[arg(long, env = "WCL_BAN_REST_MINUTES", default_value_t = 360)]
    pub wcl_ban_rest_minutes: u32,

    /// The most points that one player's ranks in one raid, difficulty and metric can cost. Not a mean: the points held
    /// for a call must cover its cost.
    #[arg(long, env = "WCL_CALL_BUDGET", default_value = "5", value_parser = parse_budget)]
    pub wcl_call_budget: Points,

    /// Points of each key that are left to other clients of the key.
    #[arg(long, env = "WCL_GUARD", default_value = "0")]
    pub wcl_guard: Points,

    /// Points of each key that are kept for `stint wcl refresh`, at most a tenth of its limit. In the last tenth of the
    /// window every worker may use them, so that they do not expire unspent.
    #[arg(long, env = "WCL_RESERVE", default_value = "50")]
    pub wcl_reserve: Points,

    /// The points held for a raid and difficulty: WCL_CALL_BUDGET, or the highest observed cost once 500 calls are
    /// known, if that is lower. `stint wcl keys` shows the observed costs in either case.
    #[arg(long, env = "WCL_BOUNDS", value_enum, default_value_t = CallBounds::Declared)]
    pub wcl_bounds: CallBounds,

    /// How the last points of a window are used, if they are fewer than WCL_CALL_BUDGET: `strict` lets them expire,
    /// `quantile:0.98` tries a call that fits with that probability, `probe` tries calls until nothing is left. The
    /// latter two may overspend a window by a part of one call.
    #[arg(long, env = "WCL_TAIL", default_value = "strict", value_parser = parse_tail)]
    pub wcl_tail: Tail,

    /// The length of a key's window, in seconds.
    #[arg(long, env = "WCL_WINDOW_SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(2..))]
    pub wcl_window_seconds: u64,

    /// The time-out of an API call, in seconds. At most 45, because a call and its waits must fit into the 120 s of a
    /// batch.
    #[arg(long, env = "WCL_CALL_TIMEOUT_SECONDS", default_value_t = 30, value_parser = parse_call_timeout)]
    pub wcl_call_timeout_seconds: u64,

    /// How long, in seconds, the messages of a rank fetcher that crashed stay invisible to other rank fetchers. No rank
    /// fetcher works on a batch for longer, so it must exceed the time that a call may take: three times
    /// `WCL_CALL_TIMEOUT_SECONDS`, plus two.
    #[arg(long, env = "WCL_VISIBILITY_SECONDS", default_value_t = 720, value_parser = clap::value_parser!(u64).range(1..=43_200))]
    pub wcl_visibility_seconds: u64,

    /// How ranks are asked for.
    #[command(flatten)]
    pub ranks: RankSettings,

    /// How points are rationed: by the shared ledger, or by the worst case as in the source document.
    #[arg(long, env = "BUDGET_STRATEGY", value_enum, default_value_t = BudgetStrategy::Ledger)]
    pub budget_strategy: BudgetStrategy,

    /// How many rank fetchers may run at once.
    #[arg(long, env = "CONCURRENCY_LIMIT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub concurrency_limit: u32,

    /// The worker whose concurrency the reviver restores. It must be fed by the queue of discovered players.
    #[arg(long, env = "LAMBDA_TO_REVIVE", default_value = "rank-fetcher", value_parser = parse_steered)]
    pub lambda_to_revive: WorkerId,

    /// The git repository that databases are pushed to: any URL that git accepts. Without it they stay in their folder.
    #[arg(long, env = "LUA_REPOSITORY", hide_env_values = true, value_parser = RepositoryParser, value_hint = ValueHint::Url)]
    pub lua_repository: Option<SecretString>,

    /// The branch that databases are pushed to.
    #[arg(long, env = "LUA_BRANCH", default_value = "main", value_parser = parse_branch)]
    pub lua_branch: String,

    /// How much of the branch's history is kept: a tagged commit per generation, or only the latest state, which
    /// replaces the previous one, and only on a branch where Stint made all commits. `stint wcl publish --dry-run`
    /// shows the effect first.
    #[arg(long, env = "LUA_HISTORY", value_enum, default_value_t = History::All)]
    pub lua_history: History,

    /// The databases are generated when the queue is empty, but at most once in this many minutes; and once a day in
    /// any case.
    #[arg(long, env = "LUA_MIN_INTERVAL_MINUTES", default_value_t = 60)]
    pub lua_min_interval_minutes: u32,

    /// Write an archive per region into this folder, to be unpacked into the game's folder of addons.
    #[arg(long, env = "LUA_ARCHIVES")]
    pub lua_archives: Option<PathBuf>,

    /// The raids to include in the databases, by their ids. Without it, all raids.
    #[arg(long, env = "LUA_RAIDS", value_delimiter = ',')]
    pub lua_raids: Vec<RaidId>,

    /// The difficulties to include in the databases, such as 4,5 for heroic and mythic. Without it, all difficulties.
    #[arg(long, env = "LUA_DIFFICULTIES", value_delimiter = ',')]
    pub lua_difficulties: Vec<Difficulty>,

    /// Leave out players whose ranks were last fetched more than this many days before the newest ranks, because no
    /// discovery has listed them for that long. Without it, all players are included, however old.
    #[arg(long, env = "LUA_MAX_AGE_DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub lua_max_age_days: Option<u32>,

    /// The contents of the databases besides the best percentiles. With any of the last three, a database is larger and
    /// can only be read by an addon of this release or a later one: a player takes 49 bytes without them, and about 6.3
    /// more per entry of `all-stars`, 4.7 of `boss-all-stars`, 1.8 of `score`.
    #[arg(long, env = "LUA_FIELDS", value_delimiter = ',', value_enum, default_value = "median,kills,spec")]
    pub lua_fields: Vec<Field>,

    /// The precision to which percentiles are rounded down in the databases. Tenths make them about a third larger.
    #[arg(long, env = "LUA_PRECISION", value_enum, default_value_t = Precision::Whole)]
    pub lua_precision: Precision,

    /// The access token for an `https://` repository.
    #[arg(long, env = "GIT_TOKEN", hide_env_values = true)]
    pub git_token: Option<SecretString>,

    /// The private key for an SSH repository. Without it `ssh` chooses a key as it does for a user.
    #[arg(long, env = "GIT_SSH_KEY")]
    pub git_ssh_key: Option<PathBuf>,

    /// Write the databases into this folder, and do not push them. Otherwise they are written to `databases` in
    /// `STINT_HOME`.
    #[arg(long, visible_alias = "out", env = "LUA_OUT")]
    pub lua_out: Option<PathBuf>,

    /// How long, in seconds, the repository's server may send nothing before a publication is given up.
    #[arg(long, env = "GIT_TIMEOUT_SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=900))]
    pub git_timeout_seconds: u64,

    /// How long, in seconds, a publication may take from its first connection to its last.
    #[arg(long, env = "GIT_DEADLINE_SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub git_deadline_seconds: u64,

    /// The author of the commits.
    #[arg(long, env = "GIT_AUTHOR_NAME", default_value = "Stint", value_parser = parse_author)]
    pub git_author_name: String,

    /// The mail address in the commits.
    #[arg(long, env = "GIT_AUTHOR_EMAIL", default_value = "stint@localhost", value_parser = parse_email)]
    pub git_author_email: String,
}

impl Settings {
    /// The ids of the keys in use.
    pub fn key_ids(&self) -> Vec<KeyId> {
        self.wcl_keys.iter().map(|key| key.id.clone()).collect()
    }

    /// The options for the contents of the databases.
    pub fn databases(&self) -> DatabaseOptions {
        let some = |ids: &[u32]| (!ids.is_empty()).then(|| ids.iter().copied().collect());
        DatabaseOptions {
            precision: self.lua_precision,
            raids: some(&self.lua_raids),
            difficulties: some(&self.lua_difficulties),
            fields: self.lua_fields.iter().copied().collect(),
            max_age_days: self.lua_max_age_days,
            ..DatabaseOptions::default()
        }
    }

    /// The settings of the ledger.
    pub fn ledger(&self) -> LedgerSettings {
        let window = Duration::from_secs(self.wcl_window_seconds);
        LedgerSettings {
            guard: self.wcl_guard,
            reserve: self.wcl_reserve,
            window,
            grace: longest_call(self.call_timeout()),
            bounds: self.wcl_bounds.into(),
            tail: self.wcl_tail,
        }
    }

    /// The most that one player's ranks in one raid and difficulty can cost, in all metrics.
    pub fn unit(&self) -> Points {
        self.wcl_call_budget.saturating_mul(self.ranks.metrics())
    }

    /// Time-out of one API call.
    pub fn call_timeout(&self) -> Duration {
        Duration::from_secs(self.wcl_call_timeout_seconds)
    }

    /// Time after its last run until a rule is due again.
    pub fn discovery_delay(&self) -> Duration {
        hours(self.delay_discovery_in_hours)
    }

    /// Time after its ranks were fetched until a player is due again.
    pub fn refresh_after(&self) -> Duration {
        hours(self.refresh_after_hours)
    }

    /// The queue holds about as many messages as the keys can pay for in this time. `None`: it holds all players.
    pub fn queue_time(&self) -> Option<Duration> {
        (self.queue_hours > 0).then(|| hours(self.queue_hours))
    }

    /// How far back reports are listed for a rule that has never run.
    pub fn first_look(&self) -> Duration {
        hours(self.discovery_first_look_hours)
    }

    /// Checks the settings against each other.
    pub fn check(&self) -> Result<(), String> {
        let mut ids = std::collections::BTreeSet::new();
        if let Some(twice) = self.wcl_keys.iter().find(|key| !ids.insert(&key.id)) {
            return Err(format!("WCL_KEYS: the key {} is named twice", twice.id));
        }
        self.ranks.check()?;
        let folders = [("LUA_OUT", &self.lua_out), ("LUA_ARCHIVES", &self.lua_archives)];
        check_publishing(self.lua_repository.as_ref(), self.git_token.as_ref(), self.git_ssh_key.as_deref(), folders)?;
        self.check_visibility()
    }

    /// Fails if the messages of a batch could become visible again while a call for them is under way: they would be
    /// paid for twice.
    fn check_visibility(&self) -> Result<(), String> {
        let call = longest_call(self.call_timeout()) + PATIENCE + STORING;
        let (least, set) = (call.as_secs_f64().ceil() as u64, self.wcl_visibility_seconds);
        if set >= least {
            return Ok(());
        }
        Err(format!(
            "WCL_VISIBILITY_SECONDS: {set} s are over while a call is under way, which may take up to {} s with \
             WCL_CALL_TIMEOUT_SECONDS={}, and another would pay for the same players; set the former to {least} or more, or \
             lower the latter",
            longest_call(self.call_timeout()).as_secs(),
            self.wcl_call_timeout_seconds
        ))
    }
}

fn hours(hours: u32) -> Duration {
    Duration::from_secs(u64::from(hours) * 3600)
}

#[cfg(test)]
mod tests;
