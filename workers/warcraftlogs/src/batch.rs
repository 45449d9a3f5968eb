//! A batch of messages while the rank fetcher works on it: what is still to be fetched for each message, and its
//! outcome.

mod message;

use jiff::Timestamp;
use stint_core::points::Points;
use stint_core::ports::{Parked, PortError};
use stint_core::worker::{Disposition, MessageException};

use crate::client::CharacterRequest;
use crate::model::{PlayerId, RaidsToScrap, Unit};
use crate::player_ref::PlayerRef;
use crate::results::{MessageEffect, Results};
use crate::store::StoredResults;
pub(crate) use message::ReceivedMessage;
use message::{Message, Remaining};

/// Immediate tries of a failed call; each try holds points of its own.
const CALL_TRIES: u32 = 3;

/// The messages of one invocation.
pub(crate) struct Batch {
    messages: Vec<Message>,
    /// Messages that cannot be decoded.
    malformed: Vec<MessageException>,
    /// The ids of messages that were parked.
    parked: Vec<String>,
    /// Why a store could not be reached.
    unavailable: Option<String>,
}

/// Messages that are requested in one call.
pub(crate) struct RanksRequest {
    /// One entry per message.
    pub(crate) messages: Vec<CharacterRequest>,
}

/// Messages and players that need no call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SkippedMessages {
    /// Messages whose whole content was fetched after they were sent.
    pub(crate) fresh: usize,
    /// Players with nothing left to fetch, because the upstream refuses the rest.
    pub(crate) refused: Vec<(PlayerRef, Vec<(Unit, String)>)>,
}

impl Batch {
    /// Decodes messages. A malformed message is rejected with the reason; the others continue.
    pub(crate) fn decode(messages: impl IntoIterator<Item = ReceivedMessage>) -> Batch {
        let mut batch = Batch { messages: Vec::new(), malformed: Vec::new(), parked: Vec::new(), unavailable: None };
        for received in messages {
            match Message::decode(&received) {
                Ok(message) => batch.messages.push(message),
                Err(reason) => {
                    let disposition = Disposition::Reject { reason };
                    batch.malformed.push(MessageException { message_id: received.id, disposition });
                }
            }
        }
        batch.merge_repeats();
        batch
    }

    /// Merges two messages of one player into one request, because aliases are unique. The first message carries what
    /// both ask for, as if it had been sent last.
    fn merge_repeats(&mut self) {
        for later in 1..self.messages.len() {
            let (before, rest) = self.messages.split_at_mut(later);
            let Some(repeat) = rest.first_mut() else { continue };
            if let Some(first) = before.iter_mut().find(|message| message.player_ref == repeat.player_ref) {
                let units = first.units.iter().chain(&repeat.units).copied();
                first.units = units.collect::<RaidsToScrap>().units().collect();
                first.queued_at = first.queued_at.zip(repeat.queued_at).map(|(first, repeat)| first.max(repeat));
                repeat.units.clear();
            }
        }
    }

    /// The players of the open messages, where their ids are known.
    pub(crate) fn ids(&self) -> Vec<PlayerId> {
        self.open().filter_map(|message| message.player_ref.id()).collect()
    }

    /// Removes from the messages the raids and difficulties that were fetched after they were sent, and those that the
    /// upstream refuses. A `priority` message is served even if another message of the same player may be under way.
    pub(crate) fn skip_fetched(&mut self, known: &StoredResults, priority: bool) -> SkippedMessages {
        let mut skipped = SkippedMessages::default();
        for message in self.messages.iter_mut().filter(|message| message.is_open()) {
            match message.skip_fetched(known, priority) {
                Remaining::Open => {}
                Remaining::Fresh => skipped.fresh += 1,
                Remaining::Refused => skipped.refused.push((message.player_ref.clone(), message.refused.clone())),
            }
        }
        skipped
    }

    /// Returns the raids and difficulties of a player that are not requested because the upstream refuses them, with
    /// the reasons.
    pub(crate) fn refused_of(&self, player_ref: &PlayerRef) -> Vec<(Unit, String)> {
        let mut of_player = self.messages.iter().filter(|message| message.player_ref == *player_ref);
        of_player.next().map(|message| message.refused.clone()).unwrap_or_default()
    }

    /// The other ways in which a player was requested, before its id was known to be a different one.
    pub(crate) fn asked_as<'a>(&'a self, player_ref: &'a PlayerRef) -> impl Iterator<Item = &'a PlayerRef> {
        self.messages
            .iter()
            .filter(move |message| message.player_ref == *player_ref)
            .filter_map(|message| message.asked_as.as_ref())
    }

    /// Returns the raids and difficulties that are still to be fetched for a player beyond `request`.
    pub(crate) fn rest_of(&self, request: &CharacterRequest) -> Vec<Unit> {
        let of_player = self.messages.iter().filter(|message| message.player_ref == request.player_ref);
        of_player.flat_map(Message::left).filter(|unit| !request.units.contains(unit)).collect()
    }

    /// The next messages to request in one call: all that may share a call, or else a single one.
    pub(crate) fn next_request(&self) -> Option<RanksRequest> {
        let shared: Vec<CharacterRequest> =
            self.open().filter(|message| !message.alone).map(Message::request).collect();
        if !shared.is_empty() {
            return Some(RanksRequest { messages: shared });
        }
        self.open().next().map(|message| RanksRequest { messages: vec![message.request()] })
    }

    /// The messages without an outcome, each player once.
    fn open(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(|message| message.is_open())
    }

    /// Removes the stored results from the messages. Results that did not come are not requested again in this
    /// invocation.
    pub(crate) fn served(&mut self, asked: &[CharacterRequest], results: &Results) {
        for (player_ref, effect) in &results.effects {
            let units =
                asked.iter().find(|request| request.player_ref == *player_ref).map(|request| request.units.as_slice());
            for message in self.messages.iter_mut().filter(|message| message.player_ref == *player_ref) {
                match effect {
                    MessageEffect::RequestAlone => message.alone = true,
                    MessageEffect::Complete => message.complete(),
                    MessageEffect::Rejected(reason) => {
                        message.exception = Some(Disposition::Reject { reason: reason.clone() })
                    }
                    MessageEffect::Served => message.asked(units.unwrap_or_default()),
                    MessageEffect::Missing(missing, reason) => {
                        message.asked(units.unwrap_or_default());
                        message.lacks(missing, reason);
                    }
                }
            }
        }
    }

    /// Handles a call without a response: the messages are tried again at once, and released after a few tries.
    pub(crate) fn call_failed(&mut self, asked: &[CharacterRequest], reason: &str) {
        for message in self.asked_for(asked) {
            message.failed_calls += 1;
            if message.failed_calls >= CALL_TRIES {
                message.exception = Some(Disposition::Retry { reason: reason.to_owned() });
            }
        }
    }

    /// Whether any message has an outcome.
    pub(crate) fn is_begun(&self) -> bool {
        !self.malformed.is_empty() || self.messages.iter().any(|message| !message.is_open())
    }

    /// Gives back every message without an outcome, because a port has failed.
    pub(crate) fn give_back_after(&mut self, error: &PortError) {
        let reason = error.to_string();
        self.give_back(&reason);
        self.unavailable = error.is_unavailable().then_some(reason);
    }

    /// Gives back every message without an outcome.
    pub(crate) fn give_back(&mut self, reason: &str) {
        let open: Vec<CharacterRequest> = self.open().map(Message::request).collect();
        for message in self.asked_for(&open) {
            message.exception = Some(Disposition::Retry { reason: reason.to_owned() });
        }
    }

    /// Returns why a store could not be reached, if messages were given back for that.
    pub(crate) fn unavailable(&self) -> Option<String> {
        self.unavailable.clone()
    }

    /// Rejects messages that no key will ever be able to pay for.
    pub(crate) fn reject_unpriceable(&mut self, request: &RanksRequest, unit: Points, largest: Points) {
        for message in self.asked_for(&request.messages) {
            message.exception = Some(unpriceable(unit, largest));
        }
    }

    fn asked_for<'a>(&'a mut self, asked: &'a [CharacterRequest]) -> impl Iterator<Item = &'a mut Message> {
        self.messages.iter_mut().filter(|message| asked.iter().any(|request| request.player_ref == message.player_ref))
    }

    /// Returns the messages to park: each under its message's id, with only the remaining raids and difficulties.
    pub(crate) fn unserved(&self, queue: &str, now: Timestamp) -> Vec<Parked> {
        let park = |message: &Message| Parked {
            id: message.message_id.clone(),
            queue: queue.to_owned(),
            body: message.remaining_body(),
            parked_at: now,
        };
        self.open().map(park).collect()
    }

    /// Marks the messages with these ids as parked, with what was not requested. A message of which something did not
    /// come is released as well.
    pub(crate) fn set_aside(&mut self, ids: Vec<String>) {
        self.messages.iter_mut().for_each(|message| message.units.clear());
        self.parked.extend(ids);
    }

    /// The ids of messages that were parked.
    pub(crate) fn parked(&self) -> &[String] {
        &self.parked
    }

    /// How many raids and difficulties the whole batch asks for.
    pub(crate) fn units(&self) -> usize {
        self.open().map(|message| message.units.len()).sum()
    }

    /// The messages that must not simply be acknowledged.
    pub(crate) fn exceptions(self) -> Vec<MessageException> {
        self.malformed.into_iter().chain(self.messages.into_iter().filter_map(Message::exception)).collect()
    }
}

impl RanksRequest {
    /// The part of the group that a grant pays for.
    pub(crate) fn paid(&self, taken: &[usize]) -> Vec<CharacterRequest> {
        let pairs = self.messages.iter().zip(taken).filter(|(_, taken)| **taken > 0);
        pairs
            .map(|(message, taken)| CharacterRequest {
                player_ref: message.player_ref.clone(),
                units: message.units[..*taken].to_vec(),
            })
            .collect()
    }
}

/// Why a message that no key can pay for becomes a dead letter.
fn unpriceable(unit: Points, largest: Points) -> Disposition {
    Disposition::Reject {
        reason: format!(
            "WCL_CALL_BUDGET: one raid and difficulty may cost {unit} points, and the largest key has {largest} per \
             window; lower WCL_CALL_BUDGET or WCL_GUARD, or add a larger key, then redrive"
        ),
    }
}

#[cfg(test)]
mod tests;
