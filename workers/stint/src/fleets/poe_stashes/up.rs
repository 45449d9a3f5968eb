//! The `poe-stashes` fleet while its workers run in this process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::between;
use stint_core::ports::Wakeups;
use stint_poe_stashes::FLEET;
use stint_poe_stashes::client::Api;
use stint_poe_stashes::config::{Settings, Start};
use stint_poe_stashes::follower::resume;
use stint_poe_stashes::lag::measure;
use stint_poe_stashes::store::Progress;
use stint_poe_stashes::watcher::{allow_next_request, wake};

use super::stores::Stores;
use crate::context::Context;
use crate::fleets::fleet::{RunningFleet, WorkState};
use crate::format::{address, count, number};
use crate::output::Output;
use crate::time_format::format_time;

/// The time between two lines that only report that work continues.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// The fleet, and the progress that was last printed.
pub(super) struct RunningPoeStashes {
    stores: Stores,
    api: Arc<Api>,
    settings: Settings,
    wakeups: Arc<dyn Wakeups>,
    output: Output,
    reported: Option<(Timestamp, String)>,
    /// As last observed.
    work_state: WorkState,
}

#[async_trait(?Send)]
impl RunningFleet for RunningPoeStashes {
    /// Wakes the watcher, which starts the chain: at once, and again when the lease of a follower that was killed ends.
    /// Starting the fleet also resumes a chain that was stopped.
    async fn start(&self, context: &Context) -> anyhow::Result<()> {
        self.api.probe_now().await;
        if let Some(stopped) = resume(&*self.stores.chain).await? {
            context
                .output
                .line(&format!("{FLEET}: the chain was stopped and continues; the reason was: {}", stopped.reason));
        }
        allow_next_request(&*self.stores.heads).await?;
        let now = context.clock.now();
        if let Some(until) = wake(&*self.stores.chain, &*self.wakeups, now).await? {
            let until = format_time(until, now);
            let text = format!(
                "{FLEET}: a follower holds the lease of the chain until {until}; if it was killed, the chain continues then"
            );
            context.output.line(&text);
        }
        Ok(())
    }

    async fn print_plan(&self, context: &Context) -> anyhow::Result<()> {
        let position = self.stores.chain.read().await?.and_then(|status| status.progress.position);
        let place = match (position, self.settings.poe_start) {
            (Some(position), _) => format!("continues from {position}"),
            (None, Start::At(id)) => format!("starts at {id}"),
            (None, Start::Head) => "starts at the head, which the river shows in five minutes".to_owned(),
            (None, Start::Tail) => "starts at the tail, which is searched for first".to_owned(),
            (None, Start::Beginning) => "starts at the river's beginning".to_owned(),
        };
        let poe_realm = &self.settings.poe_realm;
        let poe_api_url = address(&self.settings.poe_api_url);
        context.output.line(&format!("{FLEET}: the river of {poe_realm} at {poe_api_url}; the chain {place}"));
        Ok(())
    }

    /// No work is left when the river has ended and every page is stored and consumed. A chain that has stopped is
    /// finished once its stored pages are consumed.
    async fn observe(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let Some(status) = self.stores.chain.read().await? else { return Ok(()) };
        let waiting = self.stores.stored.counts().await?.unfinished();
        let progress = &status.progress;
        let head = self.stores.heads.read().await?;
        let lag =
            progress.position.and_then(|position| measure(&head.samples, position, now)).and_then(|lag| lag.seconds);
        self.print(now, to_text(progress, lag, waiting));
        let is_handed_on = progress.open.is_empty() && waiting == 0;
        self.work_state = match &progress.stopped {
            Some(stopped) if is_handed_on => WorkState::Stopped(format!("{FLEET}: {}", stopped.reason)),
            None if is_handed_on && progress.at_tail => WorkState::Done,
            _ => WorkState::Working,
        };
        Ok(())
    }

    async fn work_state(&mut self, _: Timestamp) -> anyhow::Result<WorkState> {
        Ok(self.work_state.clone())
    }

    fn close_display(&mut self) {}
}

impl RunningPoeStashes {
    pub(super) fn new(
        stores: Stores,
        api: Arc<Api>,
        wakeups: Arc<dyn Wakeups>,
        settings: &Settings,
        context: &Context,
    ) -> RunningPoeStashes {
        let (settings, output) = (settings.clone(), context.output.clone());
        RunningPoeStashes { stores, api, settings, wakeups, output, reported: None, work_state: WorkState::Working }
    }

    fn print(&mut self, now: Timestamp, text: String) {
        let is_news =
            self.reported.as_ref().is_none_or(|(at, reported)| between(*at, now) >= LINE_INTERVAL && *reported != text);
        if is_news {
            self.output.line(&format!("{FLEET}: {text}"));
            self.reported = Some((now, text));
        }
    }
}

fn to_text(progress: &Progress, lag: Option<f64>, waiting: u64) -> String {
    let mut text = format!("{} stored", count(progress.totals.stored, "page", "pages"));
    if progress.totals.lost > 0 {
        text.push_str(&format!(", {} lost", number(progress.totals.lost)));
    }
    text.push_str(&format!(", {} wait for the indexer", number(waiting)));
    match (&progress.stopped, progress.at_tail, lag) {
        (Some(stopped), _, _) => text.push_str(&format!("; STOPPED: {}", stopped.reason)),
        (None, true, _) => text.push_str("; at the end of the river"),
        (None, false, Some(lag)) => text.push_str(&format!("; {lag:.0} s behind")),
        (None, false, None) => {}
    }
    text
}
