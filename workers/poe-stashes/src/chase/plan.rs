//! What comes next.

use std::time::Duration;

use futures::future::FutureExt;
use jiff::Timestamp;
use stint_core::clock::{before, between};

use super::{Ask, Chase, End, Event, REST, Work};
use crate::client::PAGE_TIMEOUT;

/// With less time left no further page is asked for: its body must have arrived and be stored before the end.
const PAGE_TIME: Duration = PAGE_TIMEOUT.saturating_add(Duration::from_secs(30));

impl<'a> Chase<'a> {
    /// Whether nothing is under way that an invocation's end should wait for.
    pub(super) fn is_idle(&self) -> bool {
        let owes = self.end == Some(End::Done) && !self.missing.is_empty();
        !self.keeping && !self.asking && self.streaming == 0 && !owes
    }

    /// Begins what comes next, if something can.
    pub(super) fn plan(&mut self, work: &mut Work<'a>) {
        let fetched = self.progress.totals.fetched - self.fetched_before;
        if self.end.is_none() && self.most_pages.is_some_and(|most| fetched >= most) {
            self.end = Some(End::Done);
        }
        if matches!(self.end, None | Some(End::Done)) && !self.invocation.has_time_for(PAGE_TIME) {
            self.end = Some(End::Time);
        }
        let is_over = self.end.is_some() && self.is_idle();
        if is_over || self.keeping || self.asking || !matches!(self.end, None | Some(End::Done)) {
            return;
        }
        let now = self.invocation.now();
        let rest = between(now, self.opens_at().max(self.rest_until));
        if !rest.is_zero() {
            return self.wake_in(rest, work);
        }
        if let Some(ask) = self.choose(now) {
            work.push(self.keep(Some(ask)));
        } else if self.has_room()
            && let Some(due) = self.missing.next_due()
        {
            self.wake_in(between(now, due), work);
        }
    }

    /// What is asked for next: a page that is missing and the next link in turn. First of all, and after a page was refused,
    /// it is a link, even one more than there is room for: a page that is refused must not keep the chain from going on.
    /// Otherwise one that cannot be stored takes the place of one that streams.
    fn choose(&mut self, now: Timestamp) -> Option<Ask> {
        if !self.has_room() {
            return None;
        }
        let most_open = self.settings.open_pages + usize::from(!self.answered);
        let goes_on = self.end.is_none() && !self.undecided && self.progress.open.len() < most_open;
        let link = self.progress.position.filter(|_| goes_on).map(|id| Ask { id, again: false });
        let links_turn = self.asked_again || !self.answered;
        let ask = match link {
            Some(link) if links_turn => Some(link),
            link => self.missing.take_due(now).map(|id| Ask { id, again: true }).or(link),
        };
        self.asked_again = ask.is_some_and(|ask| ask.again);
        ask
    }

    /// Whether another body may stream. If not, the end of one that does is what is waited for.
    fn has_room(&self) -> bool {
        self.streaming < self.settings.open_pages
    }

    /// When the limits will let a request go. The last second of it is waited out behind the record, so that the request
    /// goes the moment it may; what is longer is a rest, which a host need not wait for.
    fn opens_at(&self) -> Timestamp {
        self.ports.api.opens_at().map_or(Timestamp::MIN, |opens_at| before(opens_at, REST))
    }

    fn wake_in(&mut self, rest: Duration, work: &mut Work<'a>) {
        if !self.resting {
            self.resting = true;
            let sleep = self.invocation.clock().sleep(rest.min(REST));
            work.push(sleep.map(|()| Event::Rested).boxed());
        }
    }
}
