//! Plans the next work.

use std::time::Duration;

use futures::future::FutureExt;
use jiff::Timestamp;
use stint_core::clock::{before, between};

use super::{Access, ChainRun, Event, PageRequest, REST, RunEnd, Task, Turn, Way, Work};
use crate::client::PAGE_TIMEOUT;

/// If less time is left, no further page is requested: its body must arrive and be stored before the end.
const PAGE_TIME: Duration = PAGE_TIMEOUT.saturating_add(Duration::from_secs(30));

impl<'a> ChainRun<'a> {
    /// Whether no work is in progress that the invocation must wait for.
    pub(super) fn is_idle(&self) -> bool {
        let owes = self.end == Some(RunEnd::Completed) && !self.missing.is_empty();
        self.is_quiet() && self.streaming == 0 && !owes
    }

    /// Whether neither a write of the record nor a request is under way.
    fn is_quiet(&self) -> bool {
        self.record == Task::Idle && self.request == Task::Idle
    }

    /// Starts the next work, if any can start.
    pub(super) fn plan(&mut self, work: &mut Work<'a>) {
        let fetched = self.progress.totals.fetched - self.fetched_before;
        if self.end.is_none() && self.most_pages.is_some_and(|most| fetched >= most) {
            self.end = Some(RunEnd::Completed);
        }
        if matches!(self.end, None | Some(RunEnd::Completed)) && !self.invocation.has_time_for(PAGE_TIME) {
            self.end = Some(RunEnd::TimeIsUp);
        }
        let is_over = self.end.is_some() && self.is_idle();
        if is_over || !self.is_quiet() || !matches!(self.end, None | Some(RunEnd::Completed)) {
            return;
        }
        let now = self.invocation.now();
        let rest = between(now, self.opens_at().max(self.rest_until));
        if !rest.is_zero() {
            return self.wake_in(rest, work);
        }
        if let Some(request) = self.choose(now) {
            work.push(self.write_record(Some(request)));
        } else if self.has_room()
            && let Some(due) = self.missing.next_due()
        {
            self.wake_in(between(now, due), work);
        }
    }

    /// Returns the next page to request: a missing page and the next page of the chain alternate. The first request,
    /// and the first after a refusal, is for the chain, even if one more page is open than allowed: a refused page must
    /// not stop the chain. Otherwise a page that cannot be stored takes one of the open places.
    fn choose(&mut self, now: Timestamp) -> Option<PageRequest> {
        if !self.has_room() {
            return None;
        }
        let most_open = self.settings.open_pages + usize::from(self.access == Access::Unproven);
        let goes_on = self.end.is_none() && self.way == Way::Known && self.progress.open.len() < most_open;
        let link = self.progress.position.filter(|_| goes_on).map(|id| PageRequest { id, is_retry: false });
        let links_turn = self.turn == Turn::Link || self.access == Access::Unproven;
        let request = match link {
            Some(link) if links_turn => Some(link),
            link => self.missing.take_due(now).map(|id| PageRequest { id, is_retry: true }).or(link),
        };
        self.turn = if request.is_some_and(|request| request.is_retry) { Turn::Link } else { Turn::Missing };
        request
    }

    /// Whether another body may stream. If not, the run waits for the end of one.
    fn has_room(&self) -> bool {
        self.streaming < self.settings.open_pages
    }

    /// Returns when the rate limits allow the next request, less the last second. That second is waited after the
    /// record is written, so that the request is sent as soon as it is allowed; a longer wait is a rest, which a host
    /// can interrupt.
    fn opens_at(&self) -> Timestamp {
        self.ports.api.opens_at().map_or(Timestamp::MIN, |opens_at| before(opens_at, REST))
    }

    fn wake_in(&mut self, rest: Duration, work: &mut Work<'a>) {
        if self.timer == Task::Idle {
            self.timer = Task::UnderWay;
            let sleep = self.invocation.clock().sleep(rest.min(REST));
            work.push(sleep.map(|()| Event::Rested).boxed());
        }
    }
}
