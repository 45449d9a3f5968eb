//! Runs the `poe-stashes` fleet against its stand-in river, over real sockets and in real time.

mod audit;
mod report;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use async_trait::async_trait;
use futures::future::join_all;
use secrecy::SecretString;
use serde_json::Value;
use stint_core::clock::{Clock, between};
use stint_core::worker::{Event, StopSignal, Worker};
use stint_host::LocalHost;
use stint_poe_stashes::FLEET;
use stint_poe_stashes::client::Api;
use stint_poe_stashes::config::{Settings, Start};
use stint_poe_stashes::store::{Progress, Totals};
use stint_poe_stashes::watcher::Watcher;
use stint_standins::PoeStashes;
use stint_standins::poe_stashes::{Options, Window};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::stores::Stores;
use super::workers::Workers;
use crate::context::Context;
use crate::fleets::demo_folder::clear;
use crate::fleets::fleet::{Fleet, FleetCommand};
use crate::fleets::settings::FleetSettings;
use crate::hosting::{Installation, OpenFleet};
use crate::settings::defaults;
use crate::shell;
use crate::wiring::{Backends, Hosts};
use report::{Bytes, Chain, Limits, LookAhead, Pages, PoeDemoReport};

/// Ten times the limit of the real river, so that a demo is short.
const LIMIT: Window = Window::of(20, 1, 60);

/// The time between two readings of a running fleet's state, and between two progress lines.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// The public stash river of Path of Exile: pages as fast as a stand-in permits, stored and indexed.
#[derive(clap::Args)]
#[command(
    after_help = "Everything runs on this machine: the upstream is a stand-in on loopback, and no real upstream is called.\n\nExample:\n  stint demo poe --pages 500"
)]
pub(super) struct Arguments {
    /// How many pages to follow the river for.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pages: u32,
    /// The same seed makes the same stashes and items.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder for the demo's state and results; the files of an earlier demo are replaced.
    #[arg(long, default_value = "./stint-demo")]
    out: PathBuf,
}

/// The environment of a demo.
struct DemoEnvironment {
    out: PathBuf,
    upstream: Arc<Mutex<PoeStashes>>,
    stores: Stores,
    api: Arc<Api>,
    host: Arc<LocalHost>,
    hosts: Hosts,
    clock: Arc<dyn Clock>,
    stop: StopSignal,
}

#[async_trait(?Send)]
impl FleetCommand for Arguments {
    async fn run(self, fleet: &'static dyn Fleet, context: &Context) -> anyhow::Result<()> {
        let environment = DemoEnvironment::start(fleet, &self, context).await?;
        let loops = environment.host.loops().into_iter().map(tokio::spawn).collect();
        let ran =
            environment.hosts.record_while(vec![FLEET.to_owned()], environment.run_demo(&self, context, loops)).await;
        environment.stop.set();
        let report = ran?;
        context.output.result(&report, PoeDemoReport::to_text)?;
        context.output.line(&environment.closing_message());
        ensure!(report.pages.lost == 0 && report.chain.gaps == 0, "the chain has gaps, or lost pages");
        Ok(())
    }
}

impl DemoEnvironment {
    /// Starts the stand-in and builds the fleet.
    async fn start(
        fleet: &'static dyn Fleet,
        arguments: &Arguments,
        context: &Context,
    ) -> anyhow::Result<DemoEnvironment> {
        let out = std::path::absolute(&arguments.out)?;
        clear(&out)?;
        let (clock, options) = (context.clock.clone(), options(arguments, context));
        let upstream = Arc::new(Mutex::new(PoeStashes::new(options.clone())));
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on loopback")?;
        let settings = settings(&options, listener.local_addr()?.port())?;
        tokio::spawn(stint_standins::serve(upstream.clone(), clock.clone(), listener, std::future::pending()));
        let stop = StopSignal::default();
        let backends = Backends::local(&out, clock.clone())?;
        let builder = Arc::new(Workers::new(&settings, &backends));
        let (stores, api) = (builder.stores().await?, builder.api().await?);
        let all = FleetSettings::of_one(settings.clone());
        let installation =
            Installation::build(vec![OpenFleet { fleet, builder }], &all, &backends, stop.clone()).await?;
        let Window { max_hits, period, .. } = LIMIT;
        context.output.line(&format!(
            "a stand-in for the stash river that permits {max_hits} requests in {} s; state in {}",
            period.as_secs(),
            out.display()
        ));
        installation.host.set_schedules().await?;
        installation.wakeups()?.once("start-watcher", &Watcher::SPEC.id(), clock.now()).await?;
        let (host, hosts) = (installation.host.clone(), installation.hosts()?);
        Ok(DemoEnvironment { out, upstream, stores, api, host, hosts, clock, stop })
    }

    /// Follows the river, drains, and returns a report.
    async fn run_demo(
        &self,
        arguments: &Arguments,
        context: &Context,
        loops: Vec<JoinHandle<()>>,
    ) -> anyhow::Result<PoeDemoReport> {
        let begun = self.clock.now();
        self.follow(u64::from(arguments.pages), context).await?;
        let took = between(begun, self.clock.now());
        let requests = self.counters().page_requests;
        let lag = self.lag().await?;
        self.stop.set();
        // A loop that panicked has already reported it.
        join_all(loops).await;
        let audit = audit::audit(&self.stores, &self.counters()).await?;
        let Totals { raw_bytes, stored_bytes, header, peek, body, .. } = self.progress().await?.totals;
        let permitted = self.api.limits().map_or(f64::INFINITY, |limits| limits.permitted(took));
        Ok(PoeDemoReport {
            pages: Pages { fetched: audit.fetched, stored: audit.stored, lost: audit.lost },
            chain: Chain { gaps: audit.gaps, lag_seconds: lag },
            limits: Limits {
                requests: self.counters().page_requests,
                client_errors: self.counters().client_errors,
                utilisation: requests as f64 / permitted,
            },
            look_ahead: LookAhead { header, peek, body },
            bytes: Bytes { raw: raw_bytes, stored: stored_bytes },
            wall_seconds: between(begun, self.clock.now()).as_secs_f64(),
        })
    }

    /// Waits until this many pages are fetched, and shows the progress.
    async fn follow(&self, pages: u64, context: &Context) -> anyhow::Result<()> {
        let interrupted = tokio::spawn(tokio::signal::ctrl_c());
        let mut reported_at = self.clock.now();
        loop {
            let progress = self.progress().await?;
            if let Some(stopped) = &progress.stopped {
                bail!("the chain stopped: {}", stopped.reason);
            }
            if progress.totals.fetched >= pages {
                return Ok(());
            }
            if interrupted.is_finished() {
                bail!("interrupted; what was stored so far is in {}", self.out.display());
            }
            if between(reported_at, self.clock.now()) >= LINE_INTERVAL {
                reported_at = self.clock.now();
                let Totals { fetched, stored, .. } = progress.totals;
                context.output.line(&format!("{fetched} pages fetched, {stored} stored"));
            }
            self.clock.sleep(POLL_INTERVAL).await;
        }
    }

    /// Returns how far the chain is behind the river, as the fleet measures it.
    async fn lag(&self) -> anyhow::Result<Option<f64>> {
        let outcome = self.host.run(&Watcher::SPEC.id(), Event::Manual(Value::Null)).await;
        let report = outcome.context("the watcher failed")?.report;
        Ok(report["lag"]["seconds"].as_f64())
    }

    async fn progress(&self) -> anyhow::Result<Progress> {
        Ok(self.stores.chain.read().await?.map(|status| status.progress).unwrap_or_default())
    }

    fn counters(&self) -> stint_standins::poe_stashes::Counters {
        self.upstream.lock().unwrap_or_else(PoisonError::into_inner).counters()
    }

    /// Describes where the results are and how to inspect them.
    fn closing_message(&self) -> String {
        let (pages, index) = (self.out.join("poe-pages"), self.out.join("poe-index.db"));
        format!(
            "\nThe pages are in {}: zstd -dc shows one.\nWhat is in the stashes now is in {}:\n  sqlite3 {} \"SELECT \
             type_line, price, currency FROM items WHERE price IS NOT NULL ORDER BY changed_at DESC LIMIT 10\"",
            pages.display(),
            index.display(),
            shell::path(&index)
        )
    }
}

/// Returns the options of a river with enough history for the requested pages.
fn options(arguments: &Arguments, context: &Context) -> Options {
    let options = Options::default();
    let edits = u64::from(arguments.pages) * u64::from(options.stashes_per_page) * 5 / 4;
    let history = options.delay + Duration::from_secs(edits / u64::from(options.edits_per_second));
    Options {
        seed: arguments.seed,
        started: context.clock.now(),
        windows: vec![LIMIT],
        latency: (Duration::from_millis(8), Duration::from_millis(12)),
        history: history.max(options.history),
        ..options
    }
}

/// Returns the settings that point a fleet at the stand-in. Nothing else differs from a real fleet. Settings from the
/// environment are not used, because they refer to another river.
fn settings(options: &Options, port: u16) -> anyhow::Result<Settings> {
    let url = |path: &str| format!("http://127.0.0.1:{port}/{path}").parse();
    Ok(Settings {
        poe_client_id: Some(options.client_id.clone()),
        poe_client_secret: Some(SecretString::from(options.client_secret.clone())),
        poe_contact: Some("nobody@example.com".to_owned()),
        poe_api_url: url("public-stash-tabs")?,
        poe_token_url: url("oauth/token")?,
        poe_head_url: url("api/trade/data/change-ids")?,
        poe_start: Start::Beginning,
        poe_blobs: None,
        // The chain starts at the river's beginning and so is far behind.
        poe_lag_alarm_seconds: u32::MAX,
        ..defaults::<Settings>()?
    })
}
