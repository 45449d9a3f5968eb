//! The `warcraftlogs` fleet while it runs here.

use async_trait::async_trait;
use jiff::Timestamp;
use stint_warcraftlogs::config::{BudgetStrategy, DiscoverySource, Settings};

use super::{Context, Running, Work};
use crate::progress::{Progress, Snapshot};
use crate::wiring::{Fleet, FleetSettings, Installation};
use crate::words::address;

/// The fleet, and what it is seen to do.
struct WarcraftLogs {
    fleet: Fleet,
    settings: Settings,
    /// Until it is finished.
    progress: Option<Progress>,
}

pub(super) async fn open(
    installation: &Installation<'_>,
    settings: &FleetSettings,
    context: &Context,
) -> anyhow::Result<Box<dyn Running>> {
    let (fleet, progress) = (installation.warcraftlogs().await?, Some(Progress::new(&context.output, None)));
    Ok(Box::new(WarcraftLogs { fleet, settings: settings.warcraftlogs.clone(), progress }))
}

#[async_trait(?Send)]
impl Running for WarcraftLogs {
    /// Wakes those workers once that find out by themselves whether there is something to do: a fresh installation then
    /// begins at once, and one that died with its concurrency at 0 comes back.
    async fn start(&self, context: &Context) -> anyhow::Result<()> {
        for worker in ["discover", "reviver"] {
            self.fleet.stores.wakeups.once(&format!("start-{worker}"), worker, context.clock.now()).await?;
        }
        Ok(())
    }

    async fn say_what_happens(&self, context: &Context) -> anyhow::Result<()> {
        let settings = &self.settings;
        let rules = self.fleet.stores.rules.list().await?.documents.len();
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
                "there are no discovery rules yet, so nothing will be discovered; add one: stint rules add --raid 26 \
                 --difficulty 3 --start-page 1 --end-page 600",
            );
        }
        Ok(())
    }

    async fn look(&mut self, now: Timestamp) -> anyhow::Result<Work> {
        let budget = &self.fleet.budget;
        let snapshot = Snapshot::take(&self.fleet.stores, &budget.worker, budget.concurrency_limit, now).await?;
        if let Some(progress) = &mut self.progress {
            progress.show(&snapshot);
        }
        Ok(if snapshot.is_drained() { Work::Done } else { Work::UnderWay })
    }

    fn finish(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.finish();
        }
    }
}
