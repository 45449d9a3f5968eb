//! The scenery of a demo: a stand-in upstream behind a real socket, an empty state folder, and a fleet pointed at both
//! by settings alone.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use secrecy::SecretString;
use stint_core::ledger::KeyId;
use stint_core::points::Points;
use stint_core::worker::Stop;
use stint_standins::WarcraftLogs;
use stint_standins::warcraftlogs::Options;
use stint_warcraftlogs::config::{Key, Settings};
use stint_warcraftlogs::store::Rule;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::super::{Context, clear};
use super::Arguments;
use crate::wiring::{Backends, Fleet, FleetSettings, Installation, plan};

/// What a player costs on average: about three raids and difficulties at about three and a half points.
const MEAN_COST: f64 = 10.5;

/// How many windows the keys should need by default.
const WINDOWS: f64 = 2.5;

/// Pages that a rule names beyond those that are likely to exist: a pass has to notice the end by itself.
const SPARE_PAGES: u32 = 5;

/// A demo's scenery.
pub(super) struct Stage {
    pub(super) out: PathBuf,
    pub(super) fleet: Fleet,
    pub(super) upstream: Arc<Mutex<WarcraftLogs>>,
    stop: Stop,
    loops: Mutex<Vec<JoinHandle<()>>>,
}

impl Stage {
    /// Starts the stand-in and the fleet's host.
    pub(super) async fn set(arguments: &Arguments, context: &Context) -> anyhow::Result<Stage> {
        let out = std::path::absolute(&arguments.out)?;
        clear(&out)?;
        let options = options(arguments, context);
        let upstream = Arc::new(Mutex::new(WarcraftLogs::new(options.clone())));
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on loopback")?;
        let settings = settings(&options, arguments, &out, listener.local_addr()?.port())?;
        let (clock, served) = (context.clock.clone(), upstream.clone());
        tokio::spawn(stint_standins::serve(served, clock.clone(), listener, std::future::pending()));
        let stop = Stop::default();
        let settings = FleetSettings { warcraftlogs: settings, ..FleetSettings::from_environment()? };
        let backends = Backends::local(&out, clock)?;
        let plans: Vec<_> = plan(stint_warcraftlogs::FLEET).into_iter().collect();
        let installation = Installation::build(&plans, &settings, &backends, stop.clone()).await?;
        let fleet = installation.warcraftlogs().await?;
        for rule in rules(&options, arguments.players) {
            fleet.stores.rules.put(&rule).await?;
        }
        context.output.line(&format!(
            "a stand-in of Warcraft Logs with {} players; {} keys of {} points per {} s; state in {}",
            arguments.players,
            options.keys.len(),
            options.keys.first().map_or(Points::ZERO, |key| key.limit),
            arguments.window,
            out.display()
        ));
        let loops = Mutex::new(fleet.host.loops().into_iter().map(tokio::spawn).collect());
        let stage = Stage { out, fleet, upstream, stop, loops };
        stage.watch_for_interrupts();
        Ok(stage)
    }

    /// Drains the host.
    pub(super) async fn strike(&self) {
        self.stop.set();
        let loops = std::mem::take(&mut *self.loops.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for running in loops {
            // A loop that panicked has said so itself.
            let _ = running.await;
        }
    }

    /// Whether somebody pressed Ctrl-C.
    pub(super) fn is_interrupted(&self) -> bool {
        self.stop.is_set()
    }

    fn watch_for_interrupts(&self) {
        let stop = self.stop.clone();
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.set();
            }
        });
    }

    /// Where everything is, and how to look a player up.
    pub(super) async fn farewell(&self) -> anyhow::Result<String> {
        let databases = self.out.join("databases");
        let page = self.fleet.stores.players.page(None, 1).await?;
        let Some(player) = page.documents.first() else { return Ok("no player has ranks".into()) };
        Ok(format!(
            "\nThe databases are in {}, and committed to {}.\nLook a player up:\n  stint lookup {} {} '{}' '{}'",
            databases.display(),
            self.out.join("databases.git").display(),
            databases.display(),
            player.region,
            player.server.name.replace('\'', r"'\''"),
            player.name
        ))
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

/// Everything that points a fleet at an upstream; nothing else differs from a real one.
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
        // The demo runs the aggregator once.
        queue_hours: 0,
        lua_repository: Some(SecretString::from(repository.display().to_string())),
        lua_out: None,
        ..Settings::from_environment()?
    })
}

/// A rule for each raid and difficulty that the stand-in ranks.
fn rules(options: &Options, players: u32) -> Vec<Rule> {
    let rule = |(position, (raid, difficulty)): (usize, &(u32, u32))| Rule {
        id: format!("{position:024x}"),
        raid: *raid,
        difficulty: *difficulty,
        start_page: 1,
        end_page: players / 100 + SPARE_PAGES,
        last_run: None,
    };
    options.rankings.iter().enumerate().map(rule).collect()
}
