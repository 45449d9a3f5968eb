//! What an answer or a body means for the chain.

use futures::FutureExt;
use futures::future::BoxFuture;
use stint_core::clock::after;
use stint_core::ports::{PortError, PortResult};
use stint_core::telemetry::Metric;

use super::opening::{Opening, drain};
use super::{AT_ONCE, Ask, Chase, Duration, Event, FIRST_TAIL_WAIT, LONGEST_TAIL_WAIT, MOST_TRIES, Work};
use crate::client::{Failure, OpenPage, RiverError, failure};
use crate::look_ahead::{Said, Source};
use crate::model::ChangeId;
use crate::page_file::Label;
use crate::writer::{Incoming, WriteError, Written, write};

impl<'a> Chase<'a> {
    pub(super) fn opened(&mut self, ask: Ask, opening: Opening, work: &mut Work<'a>) {
        self.failures = 0;
        let header = opening.page.header.filter(|_| self.trusts_header);
        let said = Said { header, peek: opening.peek, body: None };
        // Meanwhile the chain may have been turned back: then this page is one beside it.
        let is_link = !ask.again && self.progress.position == Some(ask.id);
        let leads_on = match said.first() {
            Some((next, _)) if is_link && next == ask.id => {
                self.rest_at_tail();
                let drained = drain(opening.page).map(|()| Event::Drained);
                self.streaming += 1;
                work.push(drained.boxed());
                return;
            }
            Some((next, source)) if is_link => {
                self.advance(ask.id, next, source);
                true
            }
            None if is_link => {
                self.undecided = true;
                false
            }
            _ => {
                self.progress.add_open(ask.id);
                true
            }
        };
        work.push(self.write(ask.id, opening, leads_on));
    }

    fn advance(&mut self, from: ChangeId, next: ChangeId, source: Source) {
        self.tail_wait = FIRST_TAIL_WAIT;
        self.progress.advance(from, next, source, self.invocation.now());
    }

    fn rest_at_tail(&mut self) {
        self.progress.at_tail = true;
        self.rest(self.tail_wait);
        self.tail_wait = (self.tail_wait * 2).min(LONGEST_TAIL_WAIT);
    }

    fn rest(&mut self, delay: Duration) {
        self.rest_until = self.rest_until.max(after(self.invocation.now(), delay));
    }

    fn write(&mut self, id: ChangeId, opening: Opening, leads_on: bool) -> BoxFuture<'a, Event> {
        self.streaming += 1;
        let (ports, label) = (self.ports, Label::new(self.settings.realm, id, opening.page.answered_at));
        let OpenPage { header, body, .. } = opening.page;
        let incoming = Incoming { label, header, first: opening.first, body, leads_on };
        async move {
            let written = write(incoming, &*ports.pages, &*ports.stored).await;
            Event::Written { id, leads_on, written }
        }
        .boxed()
    }

    pub(super) fn failed(&mut self, ask: Ask, error: &RiverError) {
        self.failures += 1;
        if ask.again {
            self.again.push_front(ask.id);
        }
        match failure(error, self.failures) {
            Failure::Wait { delay, reason } => {
                let seconds = delay.as_secs_f64();
                tracing::warn!(id = %ask.id, seconds, reason, "asking for a page again in {seconds:.0} s: {reason}");
                self.rest(delay);
            }
            Failure::Stop { reason } => self.stop(reason),
        }
    }

    pub(super) fn written(&mut self, id: ChangeId, leads_on: bool, written: &Written) {
        self.tries.remove(&id);
        if written.put.is_none() {
            return self.rest_at_tail();
        }
        let agreed = written.said.agreed();
        if let Some(next) = agreed.filter(|_| !leads_on) {
            self.advance(id, next, Source::Body);
        }
        self.progress.close(id);
        let totals = &mut self.progress.totals;
        totals.stored += 1;
        totals.raw_bytes += written.sizes.raw;
        totals.stored_bytes += written.sizes.stored;
        Metric::PagesStored.record(self.settings.realm.name(), 1.0);
        if written.said.disagrees() {
            self.turn_back(id, written.said);
        }
    }

    /// The chain may have gone on from a place that is too high: it goes back to the lower one.
    fn turn_back(&mut self, id: ChangeId, said: Said) {
        self.progress.totals.disagreements += 1;
        self.trusts_header = false;
        let agreed = said.agreed();
        self.progress.position =
            self.progress.position.map(|position| agreed.map_or(position, |to| position.lower(to)));
        let [header, peek, body] = [said.header, said.peek, said.body].map(|id| id.map(|id| id.to_string()));
        tracing::warn!(
            %id, header, peek, body,
            "header and body disagree about what follows {id}; the chain goes on from the lower place"
        );
    }

    pub(super) fn not_written(&mut self, id: ChangeId, leads_on: bool, error: WriteError) -> PortResult<()> {
        let tries = self.tries.entry(id).or_default();
        *tries += 1;
        let (tries, gives_up) = (*tries, *tries >= MOST_TRIES);
        match error {
            WriteError::Port(error) => return Err(error),
            WriteError::Compression(error) => {
                return Err(PortError::backend("could not store a page", error));
            }
            error if error.is_final() || (gives_up && error.is_no_page()) => {
                self.lose(id, leads_on, &error);
                return Ok(());
            }
            error => {
                tracing::warn!(%id, tries, %error, "the body of a page came to nothing, it is asked for again: {error}");
            }
        }
        self.progress.totals.cut += 1;
        if leads_on {
            self.again.push_back(id);
        }
        if tries > AT_ONCE {
            let doublings = (tries - AT_ONCE - 1).min(16);
            self.rest((FIRST_TAIL_WAIT * (1 << doublings)).min(LONGEST_TAIL_WAIT));
        }
        Ok(())
    }

    /// A page can never be stored. The chain goes on behind it, if it is known where.
    fn lose(&mut self, id: ChangeId, leads_on: bool, error: &WriteError) {
        if !leads_on {
            return self
                .stop(format!("the page {id} cannot be stored, and where the chain goes on is not known: {error}"));
        }
        tracing::error!(%id, %error, "the page {id} is lost: {error}");
        Metric::PagesLost.record(self.settings.realm.name(), 1.0);
        self.progress.lose(id, self.invocation.now(), error.to_string());
    }
}
