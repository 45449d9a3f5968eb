//! The effects of answers and bodies on the chain.

use futures::FutureExt;
use futures::future::BoxFuture;
use stint_core::clock::after;
use stint_core::ports::PortError;
use stint_core::telemetry::Metric;

use super::opening::{Opening, drain};
use super::{Access, Ask, Chase, Duration, Event, FIRST_WAIT, LONGEST_WAIT, MOST_TRIES, Way, Work};
use crate::client::{Failure, OpenPage, RiverError, failure};
use crate::look_ahead::{Said, Source};
use crate::model::ChangeId;
use crate::page_file::Label;
use crate::writer::{Incoming, WriteError, Written, write};

/// After the header was wrong about one page, it must be right about this many before it is used again.
const DOUBTS: u32 = 1000;

impl<'a> Chase<'a> {
    pub(super) fn trusts_header(&self) -> bool {
        self.progress.header_doubts == 0
    }

    pub(super) fn opened(&mut self, ask: Ask, opening: Opening, work: &mut Work<'a>) {
        self.access = Access::Proven;
        if !ask.again {
            self.failures = 0;
        }
        let header = opening.page.header.filter(|_| self.trusts_header());
        let said = Said { header, peek: opening.peek, body: None };
        // The position may have moved back meanwhile. Then this page no longer continues the chain.
        let is_link = !ask.again && self.progress.position == Some(ask.id);
        let leads_on = match said.first() {
            Some((next, _)) if is_link && next == ask.id => {
                self.way = Way::InBody;
                self.streaming += 1;
                let id = ask.id;
                work.push(drain(opening).map(move |said| Event::Drained { id, said }).boxed());
                return;
            }
            Some((next, source)) if is_link => {
                self.advance(ask.id, next, source);
                true
            }
            None if is_link => {
                self.way = Way::InBody;
                false
            }
            _ => {
                self.progress.add_open(ask.id, None);
                true
            }
        };
        work.push(self.write(ask.id, opening, leads_on));
    }

    fn advance(&mut self, from: ChangeId, next: ChangeId, source: Source) {
        self.tail_wait = FIRST_WAIT;
        self.progress.advance(from, next, source, self.invocation.now());
    }

    /// Handles the page at the apparent end of the river, after it was read completely.
    pub(super) fn drained(&mut self, id: ChangeId, said: Said) {
        if self.trusts_header() && said.header == Some(id) && said.body.is_some_and(|next| next != id) {
            // The page is requested again, because its body was not kept.
            return self.doubt_header(id, said);
        }
        self.rest_at_tail();
    }

    fn rest_at_tail(&mut self) {
        self.progress.at_tail = true;
        self.rest(self.tail_wait);
        self.tail_wait = (self.tail_wait * 2).min(LONGEST_WAIT);
    }

    fn rest(&mut self, delay: Duration) {
        self.rest_until = self.rest_until.max(after(self.invocation.now(), delay));
    }

    fn write(&mut self, id: ChangeId, opening: Opening, leads_on: bool) -> BoxFuture<'a, Event> {
        self.streaming += 1;
        let (ports, label) = (self.ports, Label::new(self.settings.realm, id, opening.page.answered_at));
        let OpenPage { header, body, .. } = opening.page;
        let incoming = Incoming { label, header, first: opening.first, body };
        async move {
            let written = write(incoming, &*ports.pages, &*ports.stored).await;
            Event::Written { id, leads_on, written }
        }
        .boxed()
    }

    /// Handles a failed request.
    pub(super) fn failed(&mut self, ask: Ask, error: &RiverError) {
        let failures = if ask.again { self.missing.count(ask.id) } else { self.failures + 1 };
        match failure(error, failures) {
            Failure::Wait { delay, reason } => {
                let seconds = delay.as_secs_f64();
                // An outage is logged once, by its breaker.
                if self.ports.api.is_up() {
                    tracing::warn!(id = %ask.id, seconds, reason, "asking for a page again in {seconds:.0} s: {reason}");
                }
                if ask.again {
                    self.missing.ask_again(ask.id, self.invocation.now(), delay);
                }
                if !ask.again || error.is_refusal_for_haste() {
                    self.failures = failures;
                    self.rest(delay);
                }
            }
            Failure::Stop { reason }
                if ask.again && self.access == Access::Proven && error.is_refusal_of_the_page() =>
            {
                self.refused(ask.id, &reason);
            }
            Failure::Stop { reason } => self.stop(reason),
        }
    }

    /// A refusal may be about this page or about the client. The next request, which continues the chain, shows which.
    /// A page is given up only if it is refused again after another request was answered.
    fn refused(&mut self, id: ChangeId, reason: &str) {
        self.access = Access::Unproven;
        if self.missing.was_refused(id) {
            return self.lose(id, &reason);
        }
        tracing::warn!(%id, reason, "a page was refused, and is asked for once more: {reason}");
        self.missing.ask_again(id, self.invocation.now(), LONGEST_WAIT);
    }

    pub(super) fn written(&mut self, id: ChangeId, leads_on: bool, written: &Written) {
        self.missing.forget(id);
        if written.said.disagrees() {
            self.doubt_header(id, written.said);
        } else if written.said.header.is_some() {
            self.progress.header_doubts = self.progress.header_doubts.saturating_sub(1);
        }
        if written.put.is_none() {
            self.progress.close(id);
            self.progress.turn_back(id);
            return self.rest_at_tail();
        }
        if !leads_on && self.progress.position == Some(id) {
            self.advance(id, written.leads_to, Source::Body);
        }
        self.close(id, Some(written.leads_to));
        let totals = &mut self.progress.totals;
        totals.stored += 1;
        totals.raw_bytes += written.sizes.raw;
        totals.stored_bytes += written.sizes.stored;
        Metric::PagesStored.record(self.settings.realm.name(), 1.0);
    }

    /// Closes a stored page whose next id is `next`. If the chain has continued from a later position, it goes back to
    /// `next`: the edits between them are in no page. Either the header was wrong, or the page has grown since it was
    /// stored.
    pub(super) fn close(&mut self, id: ChangeId, next: Option<ChangeId>) {
        if let (Some(led_to), Some(next)) = (self.progress.close(id), next)
            && led_to.lower(next) != led_to
        {
            tracing::warn!(%id, %led_to, %next, "the page {id} does not lead as far as the chain has gone: back to {next}");
            self.progress.turn_back(next);
        }
    }

    fn doubt_header(&mut self, id: ChangeId, said: Said) {
        self.progress.totals.disagreements += 1;
        let [header, peek, body] = [said.header, said.peek, said.body].map(|id| id.map(|id| id.to_string()));
        if self.trusts_header() {
            tracing::warn!(
                %id, header, peek, body,
                "header and body disagree about what follows {id}; the chain goes on from the lower place"
            );
        }
        self.progress.header_doubts = DOUBTS;
    }

    /// Handles a body that failed.
    pub(super) fn not_written(&mut self, id: ChangeId, leads_on: bool, error: WriteError) {
        let tries = self.missing.count(id);
        let no_pages = if error.is_no_page() { self.missing.count_no_page(id) } else { 0 };
        match error {
            WriteError::Port(error) => self.fail(error),
            WriteError::Compression(error) => self.fail(PortError::backend("could not store a page", error)),
            error if leads_on && (error.is_final() || (error.is_no_page() && no_pages >= MOST_TRIES)) => {
                self.lose(id, &error);
            }
            error if error.is_final() => self.stop(format!(
                "the page {id} cannot be stored, and where the chain goes on is not known: {error}; raise POE_MAX_BODY"
            )),
            error => {
                tracing::warn!(%id, tries, %error, "the body of a page came to nothing, it is asked for again: {error}");
                self.progress.totals.cut += 1;
                if leads_on {
                    self.missing.ask_again(id, self.invocation.now(), Duration::ZERO);
                } else {
                    self.rest(self.missing.wait(id));
                }
            }
        }
    }

    /// Gives up a page that can never be stored. The chain has continued after it.
    fn lose(&mut self, id: ChangeId, error: &dyn std::fmt::Display) {
        tracing::error!(%id, %error, "the page {id} is lost: {error}");
        Metric::PagesLost.record(self.settings.realm.name(), 1.0);
        self.missing.forget(id);
        self.progress.lose(id, self.invocation.now(), error.to_string());
    }
}
