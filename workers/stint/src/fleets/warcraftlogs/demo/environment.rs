//! The environment of a demo: a stand-in upstream on a real socket, an empty state folder, and a fleet that only its
//! settings point at both.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use secrecy::SecretString;
use stint_core::ledger::KeyId;
use stint_core::points::Points;
use stint_standins::WarcraftLogs;
use stint_standins::warcraftlogs::Options;
use stint_warcraftlogs::config::{Key, Settings};
use stint_warcraftlogs::store::{Rule, Rules};
use tokio::net::TcpListener;

use super::{Arguments, DemoFleet};
use crate::context::Context;
use crate::fleets::demo_folder::clear;
use crate::settings::from_environment;
use crate::shell;
use crate::wiring::Backends;

/// The average cost of a player: about three raids and difficulties at about three and a half points.
const MEAN_COST: f64 = 10.5;

/// The number of windows that the keys should need by default.
const WINDOWS: f64 = 2.5;

/// Pages that a rule names beyond those that are likely to exist, so that a pass has to detect the end itself.
const SPARE_PAGES: u32 = 5;

/// The environment of a demo.
pub(super) struct DemoEnvironment {
    pub(super) out: PathBuf,
    pub(super) upstream: Arc<Mutex<WarcraftLogs>>,
    pub(super) settings: Settings,
    pub(super) backends: Backends,
    /// The context of the command, with the demo's folder.
    pub(super) context: Context,
}

impl DemoEnvironment {
    /// Starts the stand-in, and points a fleet at it.
    pub(super) async fn start(arguments: &Arguments, context: &Context) -> anyhow::Result<DemoEnvironment> {
        let out = std::path::absolute(&arguments.out)?;
        clear(&out)?;
        let options = options(arguments, context);
        let upstream = Arc::new(Mutex::new(WarcraftLogs::new(options.clone())));
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on loopback")?;
        let settings = settings(&options, arguments, &out, listener.local_addr()?.port())?;
        let (clock, served) = (context.clock.clone(), upstream.clone());
        tokio::spawn(stint_standins::serve(served, clock.clone(), listener, std::future::pending()));
        let backends = Backends::local(&out, clock.clone())?;
        context.output.line(&format!(
            "a stand-in for Warcraft Logs with {} players; {} keys of {} points per {} s; state in {}",
            arguments.players,
            options.keys.len(),
            options.keys.first().map_or(Points::ZERO, |key| key.limit),
            arguments.window,
            out.display()
        ));
        let context = Context { home: out.clone(), output: context.output.clone(), clock };
        Ok(DemoEnvironment { out, upstream, settings, backends, context })
    }

    /// Adds a rule for each raid and difficulty that the stand-in ranks.
    pub(super) async fn add_rules(&self, rules: &dyn Rules, players: u32) -> anyhow::Result<()> {
        for (position, (raid, difficulty)) in self.rankings().into_iter().enumerate() {
            let (id, end_page) = (format!("{position:024x}"), players / 100 + SPARE_PAGES);
            rules.put(&Rule { id, raid, difficulty, start_page: 1, end_page, ..Rule::default() }).await?;
        }
        Ok(())
    }

    /// Returns the ids of all players on the stand-in's ranking pages.
    pub(super) fn players(&self) -> BTreeSet<u64> {
        let population = self.lock().population();
        population.discoverable(&self.rankings()).into_iter().collect()
    }

    /// Describes where the results are and how to look up a player.
    pub(super) async fn closing_message(&self, demo_fleet: &DemoFleet) -> anyhow::Result<String> {
        let databases = self.out.join("databases");
        let page = demo_fleet.stores.players.page(None, 1).await?;
        let Some(player) = page.documents.first() else { return Ok("no player has ranks".into()) };
        Ok(format!(
            "\nThe databases are in {}, and committed to {}.\nLook a player up:\n  {} wcl lookup {} {} {} {}",
            databases.display(),
            self.out.join("databases.git").display(),
            shell::program(),
            shell::path(&databases),
            player.region,
            shell::quoted(&player.server.name),
            shell::quoted(&player.name)
        ))
    }

    fn rankings(&self) -> Vec<(u32, u32)> {
        self.lock().options().rankings.clone()
    }

    fn lock(&self) -> MutexGuard<'_, WarcraftLogs> {
        self.upstream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn options(arguments: &Arguments, context: &Context) -> Options {
    let window = Duration::from_secs(arguments.window);
    let keys = arguments.keys;
    let default = (f64::from(arguments.players) * MEAN_COST / WINDOWS / f64::from(keys)).max(100.0).ceil();
    let limit = arguments.limit.unwrap_or(Points::whole(default as u64));
    let limits = vec![limit; keys as usize];
    let options = Options::with_keys(arguments.seed, arguments.players, &limits, window, context.clock.now());
    let longest = Duration::from_millis(arguments.latency);
    Options { latency: (longest / 4, longest), ..options }
}

/// Returns the settings that point a fleet at the stand-in. Nothing else differs from a real fleet.
fn settings(options: &Options, arguments: &Arguments, out: &Path, port: u16) -> anyhow::Result<Settings> {
    let repository = out.join("databases.git");
    stint_warcraftlogs::publish::create_repository(&repository)?;
    let url = |path: &str| format!("http://127.0.0.1:{port}/{path}").parse();
    let keys = options
        .keys
        .iter()
        .map(|key| Key { id: KeyId(key.id.clone()), secret: SecretString::from(key.secret.clone()) });
    Ok(Settings {
        wcl_keys: keys.collect(),
        wcl_api_url: url("api/v2/client")?,
        wcl_token_url: url("oauth/token")?,
        wcl_site_url: url("")?,
        wcl_window_seconds: arguments.window,
        wcl_page_interval_ms: 0,
        lua_repository: Some(SecretString::from(repository.display().to_string())),
        lua_out: None,
        ..from_environment()?
    })
}
