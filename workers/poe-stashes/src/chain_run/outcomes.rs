//! The effects of answers and bodies on the chain.

use futures::FutureExt;
use futures::future::BoxFuture;
use stint_core::clock::after;
use stint_core::ports::PortError;
use stint_core::telemetry::Metric;

use super::opening::{Opening, drain};
use super::{Access, ChainRun, Duration, Event, FIRST_WAIT, LONGEST_WAIT, MOST_TRIES, PageRequest, Way, Work};
use crate::client::{PageResponse, Reaction, RiverError, reaction};
use crate::look_ahead::{NextIds, Source};
use crate::model::ChangeId;
use crate::page_file::Label;
use crate::writer::{PageToStore, StoreOutcome, WriteError, write};

/// After the header was wrong about one page, it must be right about this many before it is used again.
const CONFIRMATIONS: u32 = 1000;

impl<'a> ChainRun<'a> {
    pub(super) fn trusts_header(&self) -> bool {
        self.progress.header_doubts == 0
    }

    pub(super) fn opened(&mut self, request: PageRequest, opening: Opening, work: &mut Work<'a>) {
        self.access = Access::Proven;
        if !request.is_retry {
            self.failures = 0;
        }
        let header = opening.page.header.filter(|_| self.trusts_header());
        let next_ids = NextIds { header, peek: opening.peek, body: None };
        // The position may have moved back meanwhile. Then this page no longer continues the chain.
        let is_link = !request.is_retry && self.progress.position == Some(request.id);
        let leads_on = match next_ids.first() {
            Some((next, _)) if is_link && next == request.id => {
                self.way = Way::InBody;
                self.streaming += 1;
                let id = request.id;
                work.push(drain(opening).map(move |next_ids| Event::Drained { id, next_ids }).boxed());
                return;
            }
            Some((next, source)) if is_link => {
                self.advance(request.id, next, source);
                true
            }
            None if is_link => {
                self.way = Way::InBody;
                false
            }
            _ => {
                self.progress.add_open(request.id, None);
                true
            }
        };
        work.push(self.write(request.id, opening, leads_on));
    }

    fn advance(&mut self, from: ChangeId, next: ChangeId, source: Source) {
        self.tail_wait = FIRST_WAIT;
        self.progress.advance(from, next, source, self.invocation.now());
    }

    /// Handles the page at the apparent end of the river, after it was read completely.
    pub(super) fn drained(&mut self, id: ChangeId, next_ids: NextIds) {
        if self.trusts_header() && next_ids.header == Some(id) && next_ids.body.is_some_and(|next| next != id) {
            // The page is requested again, because its body was not kept.
            return self.disable_header(id, next_ids);
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
        let PageResponse { header, body, .. } = opening.page;
        let page_to_store = PageToStore { label, header, first: opening.first, body };
        async move {
            let written = write(page_to_store, &*ports.pages, &*ports.stored).await;
            Event::Stored { id, leads_on, written }
        }
        .boxed()
    }

    /// Handles a failed request.
    pub(super) fn failed(&mut self, request: PageRequest, error: &RiverError) {
        let failures = if request.is_retry { self.missing.count(request.id) } else { self.failures + 1 };
        match reaction(error, failures) {
            Reaction::Retry { delay, reason } => {
                let seconds = delay.as_secs_f64();
                // An outage is logged once, by its breaker.
                if self.ports.api.is_up() {
                    tracing::warn!(
                        id = %request.id, seconds, reason,
                        "retrying the request for a page in {seconds:.0} s: {reason}"
                    );
                }
                if request.is_retry {
                    self.missing.schedule_retry(request.id, self.invocation.now(), delay);
                }
                if !request.is_retry || error.is_rate_limit() {
                    self.failures = failures;
                    self.rest(delay);
                }
            }
            Reaction::Stop { reason }
                if request.is_retry && self.access == Access::Proven && error.is_refusal_of_the_page() =>
            {
                self.refused(request.id, &reason);
            }
            Reaction::Stop { reason } => self.stop(reason),
        }
    }

    /// A refusal may be about this page or about the client. The next request, which continues the chain, shows which.
    /// A page is given up only if it is refused again after another request was answered.
    fn refused(&mut self, id: ChangeId, reason: &str) {
        self.access = Access::Unproven;
        if self.missing.was_refused(id) {
            return self.give_up_page(id, &reason);
        }
        tracing::warn!(%id, reason, "a page was refused, and is requested once more: {reason}");
        self.missing.schedule_retry(id, self.invocation.now(), LONGEST_WAIT);
    }

    pub(super) fn page_stored(&mut self, id: ChangeId, leads_on: bool, written: &StoreOutcome) {
        self.missing.remove(id);
        if written.next_ids.differ() {
            self.disable_header(id, written.next_ids);
        } else if written.next_ids.header.is_some() {
            self.progress.header_doubts = self.progress.header_doubts.saturating_sub(1);
        }
        if written.put.is_none() {
            self.progress.close(id);
            self.progress.move_back(id);
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
        if let (Some(continued_at), Some(next)) = (self.progress.close(id), next)
            && continued_at.lower(next) != continued_at
        {
            tracing::warn!(
                %id, %continued_at, %next,
                "the next id of page {id} is before the chain's position: moving back to {next}"
            );
            self.progress.move_back(next);
        }
    }

    fn disable_header(&mut self, id: ChangeId, next_ids: NextIds) {
        self.progress.totals.disagreements += 1;
        let [header, peek, body] =
            [next_ids.header, next_ids.peek, next_ids.body].map(|id| id.map(|id| id.to_string()));
        if self.trusts_header() {
            tracing::warn!(
                %id, header, peek, body,
                "header and body disagree about the next id of {id}; the chain continues from the lower position"
            );
        }
        self.progress.header_doubts = CONFIRMATIONS;
    }

    /// Handles a body that failed.
    pub(super) fn write_failed(&mut self, id: ChangeId, leads_on: bool, error: WriteError) {
        let tries = self.missing.count(id);
        let invalid = if error.is_invalid_page() { self.missing.count_invalid(id) } else { 0 };
        match error {
            WriteError::Port(error) => self.fail(error),
            WriteError::Compression(error) => self.fail(PortError::backend("could not store a page", error)),
            error if leads_on && (error.is_final() || (error.is_invalid_page() && invalid >= MOST_TRIES)) => {
                self.give_up_page(id, &error);
            }
            error if error.is_final() => self.stop(format!(
                "the page {id} cannot be stored, and its next id is unknown: {error}; raise POE_MAX_BODY"
            )),
            error => {
                tracing::warn!(%id, tries, %error, "the body of a page failed, and is requested again: {error}");
                self.progress.totals.cut += 1;
                if leads_on {
                    self.missing.schedule_retry(id, self.invocation.now(), Duration::ZERO);
                } else {
                    self.rest(self.missing.wait(id));
                }
            }
        }
    }

    /// Gives up a page that can never be stored. The chain has continued after it.
    fn give_up_page(&mut self, id: ChangeId, error: &dyn std::fmt::Display) {
        tracing::error!(%id, %error, "the page {id} is given up: {error}");
        Metric::PagesLost.record(self.settings.realm.name(), 1.0);
        self.missing.remove(id);
        self.progress.give_up(id, self.invocation.now(), error.to_string());
    }
}
