//! Sets up a world.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use jiff::Timestamp;
use secrecy::SecretString;
use stint_core::clock::{Clock, ManualClock};
use stint_core::ledger::KeyId;
use stint_core::points::Points;
use stint_embedded::{Embedded, Mode};
use stint_standins::WarcraftLogs;
use stint_standins::warcraftlogs::{Options, Shares};
use stint_warcraftlogs::budget::BudgetStrategy;
use stint_warcraftlogs::config::{Key, Settings};
use stint_warcraftlogs::discovery::DiscoverySource;
use stint_warcraftlogs::rank_queries::RankSettings;

use super::{FleetWorld, Network, Stores};

/// The time at which every world begins.
const BEGINNING: &str = "2026-11-20T10:00:00Z";

/// Interval at which hosts check their queues and schedules: a day of a fleet has mostly such checks.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The settings and the stand-in of a world; a test changes what matters to it.
pub(crate) struct Setup {
    pub(crate) settings: Settings,
    pub(crate) options: Options,
    on_disk: bool,
    guarded: bool,
    look_every: Option<Duration>,
}

/// The settings with their defaults.
#[derive(Parser)]
struct Defaults {
    #[command(flatten)]
    settings: Settings,
}

impl Setup {
    /// `players` players and one key with plenty of points in windows of a minute; no player has an unusual outcome,
    /// nothing fails, and a response takes a tenth of a second.
    pub(crate) fn new(seed: u64, players: u32) -> Setup {
        let defaults = Defaults::parse_from(["stint"]).settings;
        let options = Options {
            seed,
            players,
            shares: Shares::NONE,
            started: BEGINNING.parse::<Timestamp>().unwrap(),
            latency: (Duration::from_millis(100), Duration::from_millis(100)),
            ..Options::default()
        };
        let settings = Settings {
            wcl_api_url: "http://standin/api/v2/client".parse().unwrap(),
            wcl_token_url: "http://standin/oauth/token".parse().unwrap(),
            wcl_site_url: "http://standin/".parse().unwrap(),
            wcl_call_timeout_seconds: 2,
            wcl_visibility_seconds: 720,
            wcl_page_interval_ms: 0,
            ranks: RankSettings::default(),
            discovery_source: DiscoverySource::Pages,
            budget_strategy: BudgetStrategy::Ledger,
            concurrency_limit: 8,
            ..defaults
        };
        Setup { settings, options, on_disk: false, guarded: true, look_every: Some(POLL_INTERVAL) }.keys(&[100_000], 60)
    }

    /// One key for each limit; their windows of `window` seconds are spread evenly.
    pub(crate) fn keys(mut self, limits: &[u64], window: u64) -> Setup {
        let limits: Vec<Points> = limits.iter().copied().map(Points::whole).collect();
        self.options.window = Duration::from_secs(window);
        self.options.keys = Options::phased_keys(&limits, self.options.window);
        self.settings.wcl_window_seconds = window;
        self.settings.wcl_keys = self.options.keys.iter().map(key).collect();
        self
    }

    /// Only these raids and difficulties are ranked.
    pub(crate) fn rankings(mut self, rankings: &[(u32, u32)]) -> Setup {
        self.options.rankings = rankings.to_vec();
        self
    }

    /// Ten times the real share of unusual players, so that each kind occurs even with few players.
    pub(crate) fn odd_players(mut self) -> Setup {
        self.options.shares = Shares { hidden: 60, unknown: 60, never_classed: 60, transferred: 60 };
        self
    }

    /// How far back a first discovery looks by default.
    pub(crate) fn default_first_look_hours(&self) -> u32 {
        Defaults::parse_from(["stint"]).settings.discovery_first_look_hours
    }

    /// Stores in files, which a test may damage.
    pub(crate) fn on_disk(mut self) -> Setup {
        self.on_disk = true;
        self
    }

    /// Without breakers, for faults that would open them.
    pub(crate) fn unguarded(mut self) -> Setup {
        self.guarded = false;
        self
    }

    /// With hosts that check their queues and schedules as often as the program does, where fractions of a second matter.
    pub(crate) fn looking_often(mut self) -> Setup {
        self.look_every = None;
        self
    }

    pub(crate) fn build(self) -> FleetWorld {
        let Setup { settings, options, on_disk, guarded, look_every } = self;
        let clock = ManualClock::new(options.started);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let folder = on_disk.then(|| tempfile::tempdir().unwrap());
        let embedded = match &folder {
            Some(folder) => Embedded::open(folder.path(), Mode::Inline, shared.clone()),
            None => Embedded::in_memory(shared.clone()),
        };
        let embedded = embedded.unwrap();
        let stores = Stores::new(&settings, &embedded, &shared);
        let folder = folder.map(Arc::new);
        let began = options.started;
        let upstream = Arc::new(Mutex::new(WarcraftLogs::new(options)));
        // The upstream has a clock of its own, which is never set.
        let network = Arc::new(Network::new(upstream.clone(), Arc::new(clock.steady())));
        FleetWorld { clock, network, settings, stores, guarded, look_every, embedded, upstream, began, folder }
    }
}

fn key(key: &stint_standins::warcraftlogs::StandinKey) -> Key {
    Key { id: KeyId(key.id.clone()), secret: SecretString::from(key.secret.clone()) }
}
