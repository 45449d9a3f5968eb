//! The `warcraftlogs` fleet while its workers run in this process.

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::worker::Worker;
use stint_warcraftlogs::aggregator::Aggregator;
use stint_warcraftlogs::budget::{Budget, BudgetStrategy};
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::discover::Discover;
use stint_warcraftlogs::discovery::DiscoverySource;
use stint_warcraftlogs::next_worker::start_fleet;

use super::drain_state::DrainState;
use super::progress::{Progress, Snapshot};
use super::stores::Stores;
use crate::context::Context;
use crate::fleets::fleet::{RunningFleet, WorkState};
use crate::format::{address, count};
use crate::output::Output;
use crate::wiring::ReportLog;

/// The fleet, and its observed progress.
pub(super) struct RunningWarcraftLogs {
    stores: Stores,
    budget: Budget,
    settings: Settings,
    report_log: ReportLog,
    output: Output,
    /// The number of queued players that was last printed.
    reported: u64,
    drain: DrainState,
    /// `None` once finished.
    progress: Option<Progress>,
}

#[async_trait(?Send)]
impl RunningFleet for RunningWarcraftLogs {
    async fn start(&self, context: &Context) -> anyhow::Result<()> {
        Ok(start_fleet(&*self.stores.wakeups, context.clock.now()).await?)
    }

    async fn print_plan(&self, context: &Context) -> anyhow::Result<()> {
        let settings = &self.settings;
        let rules = self.stores.rules.list().await?.documents.len();
        let source = match settings.discovery_source {
            DiscoverySource::Pages => "ranking pages",
            DiscoverySource::Reports => "the API's reports",
        };
        let strategy = match settings.budget_strategy {
            BudgetStrategy::Ledger => "ledger",
            BudgetStrategy::WorstCase => "worst-case",
        };
        let keys = settings.wcl_keys.len();
        let (site, api) = (address(&settings.wcl_site_url), address(&settings.wcl_api_url));
        context.output.line(&format!(
            "{}: {rules} discovery rules on {source} of {site}, {keys} keys for {api}, strategy {strategy}; state in {}",
            stint_warcraftlogs::FLEET,
            context.home.display()
        ));
        if rules == 0 {
            context.output.line(
                "there are no discovery rules yet, so nothing will be discovered; add one: stint wcl rules add --raid 26 \
                 --difficulty 3 --start-page 1 --end-page 600",
            );
        }
        Ok(())
    }

    async fn observe(&mut self, now: Timestamp) -> anyhow::Result<()> {
        self.print_queued();
        let budget = &self.budget;
        let snapshot = Snapshot::take(&self.stores, &budget.worker, budget.concurrency_limit, now).await?;
        if let Some(progress) = &mut self.progress {
            progress.show(&snapshot);
        }
        self.drain.record(&snapshot);
        Ok(())
    }

    async fn work_state(&mut self, now: Timestamp) -> anyhow::Result<WorkState> {
        self.drain.work_state(&self.stores, &self.settings, &self.report_log, now).await
    }

    fn close_display(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.finish();
        }
    }
}

impl RunningWarcraftLogs {
    pub(super) fn new(
        stores: Stores,
        budget: Budget,
        settings: &Settings,
        report_log: &ReportLog,
        context: &Context,
    ) -> RunningWarcraftLogs {
        let (settings, report_log, output) = (settings.clone(), report_log.clone(), context.output.clone());
        let progress = Some(Progress::new(&output, None));
        RunningWarcraftLogs {
            stores,
            budget,
            settings,
            report_log,
            output,
            reported: 0,
            drain: DrainState::default(),
            progress,
        }
    }

    /// Prints a line when more players were queued.
    fn print_queued(&mut self) {
        let queued = self.report_log.of(&Aggregator::SPEC.id()).total("queued");
        if queued == self.reported {
            return;
        }
        self.reported = queued;
        let pages = count(self.report_log.of(&Discover::SPEC.id()).total("pages"), "page", "pages");
        let players = count(queued, "player is", "players are");
        self.output
            .line(&format!("{players} queued, one message each, after {pages} of discovery; fetching their ranks"));
    }
}
