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

use super::drained::Drain;
use super::progress::{Progress, Snapshot};
use super::stores::Stores;
use crate::context::Context;
use crate::fleets::fleet::{Running, Work};
use crate::output::Output;
use crate::wiring::Diary;
use crate::words::{address, count};

/// The fleet, and its observed progress.
pub(super) struct WarcraftLogsHere {
    stores: Stores,
    budget: Budget,
    settings: Settings,
    diary: Diary,
    output: Output,
    /// The number of queued players that was last printed.
    said: u64,
    drain: Drain,
    /// `None` once finished.
    progress: Option<Progress>,
}

#[async_trait(?Send)]
impl Running for WarcraftLogsHere {
    async fn start(&self, context: &Context) -> anyhow::Result<()> {
        Ok(start_fleet(&*self.stores.wakeups, context.clock.now()).await?)
    }

    async fn say_what_happens(&self, context: &Context) -> anyhow::Result<()> {
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

    async fn look(&mut self, now: Timestamp) -> anyhow::Result<()> {
        self.say_what_is_queued();
        let budget = &self.budget;
        let snapshot = Snapshot::take(&self.stores, &budget.worker, budget.concurrency_limit, now).await?;
        if let Some(progress) = &mut self.progress {
            progress.show(&snapshot);
        }
        self.drain.see(&snapshot);
        Ok(())
    }

    async fn work(&mut self, now: Timestamp) -> anyhow::Result<Work> {
        self.drain.work(&self.stores, &self.settings, &self.diary, now).await
    }

    fn finish(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.finish();
        }
    }
}

impl WarcraftLogsHere {
    pub(super) fn new(
        stores: Stores,
        budget: Budget,
        settings: &Settings,
        diary: &Diary,
        context: &Context,
    ) -> WarcraftLogsHere {
        let (settings, diary, output) = (settings.clone(), diary.clone(), context.output.clone());
        let progress = Some(Progress::new(&output, None));
        WarcraftLogsHere { stores, budget, settings, diary, output, said: 0, drain: Drain::default(), progress }
    }

    /// Prints a line when more players were queued.
    fn say_what_is_queued(&mut self) {
        let queued = self.diary.of(&Aggregator::SPEC.id()).sum("queued");
        if queued == self.said {
            return;
        }
        self.said = queued;
        let pages = count(self.diary.of(&Discover::SPEC.id()).sum("pages"), "page", "pages");
        let players = count(queued, "player is", "players are");
        self.output
            .line(&format!("{players} queued, one message each, after {pages} of discovery; fetching their ranks"));
    }
}
