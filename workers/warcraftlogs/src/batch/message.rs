//! One message of a batch: what is still to be fetched of its player, and its outcome.

use jiff::Timestamp;
use stint_core::worker::{Disposition, MessageException};

use crate::client::CharacterRequest;
use crate::message::{PlayerMessage, Sent};
use crate::model::Unit;
use crate::player_ref::PlayerRef;
use crate::store::StoredResults;

/// A message as received: from a queue, from the parked messages, or from a person.
pub(crate) struct ReceivedMessage {
    pub(crate) id: String,
    pub(crate) body: String,
    /// `None` for a message from a person, who wants ranks fetched from now on.
    pub(crate) sent_at: Option<Timestamp>,
}

/// A message that could be decoded.
pub(super) struct Message {
    pub(super) message_id: String,
    pub(super) player_ref: PlayerRef,
    /// How the player was first requested, if that was different.
    pub(super) asked_as: Option<PlayerRef>,
    /// When the player was requested.
    pub(super) queued_at: Option<Timestamp>,
    /// The raids and difficulties in the message.
    wanted: Vec<Unit>,
    /// Raids and difficulties that are still to be fetched.
    pub(super) units: Vec<Unit>,
    /// Raids and difficulties that the upstream refuses for every player, with the reasons: they are not requested.
    pub(super) refused: Vec<(Unit, String)>,
    /// Raids and difficulties that did not come.
    missing: Vec<Unit>,
    /// Why they did not come.
    reasons: Vec<String>,
    /// Requested alone, since a never-classed player may spoil the response for all.
    pub(super) alone: bool,
    pub(super) failed_calls: u32,
    pub(super) exception: Option<Disposition>,
}

/// State of a message after a check against the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remaining {
    /// Something is left to be fetched.
    Open,
    /// Everything was fetched after the message was sent.
    Fresh,
    /// Nothing is left to be fetched, and some of it is refused.
    Refused,
}

impl Message {
    /// Decodes a message. The error says what is wrong with it.
    pub(super) fn decode(received: &ReceivedMessage) -> Result<Message, String> {
        let Sent { message: PlayerMessage { player_ref, raids_to_scrap }, queued_at, asked_as } =
            Sent::read(&received.body)?;
        let wanted: Vec<Unit> = raids_to_scrap.units().collect();
        Ok(Message {
            message_id: received.id.clone(),
            player_ref,
            asked_as,
            queued_at: queued_at.or(received.sent_at),
            units: wanted.clone(),
            wanted,
            refused: Vec::new(),
            missing: Vec::new(),
            reasons: Vec::new(),
            alone: false,
            failed_calls: 0,
            exception: None,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.exception.is_none() && !self.units.is_empty()
    }

    pub(super) fn request(&self) -> CharacterRequest {
        CharacterRequest { player_ref: self.player_ref.clone(), units: self.units.clone() }
    }

    /// The message with only its remaining raids and difficulties.
    pub(super) fn remaining_body(&self) -> String {
        let raids_to_scrap = self.units.iter().copied().collect();
        let message = PlayerMessage { player_ref: self.player_ref.clone(), raids_to_scrap };
        Sent { message, queued_at: self.queued_at, asked_as: self.asked_as.clone() }.to_body()
    }

    /// Removes what was fetched after the message was sent, or for another message that is under way (unless this
    /// message is `priority`), and what the upstream refuses.
    pub(super) fn skip_fetched(&mut self, known: &StoredResults, priority: bool) -> Remaining {
        let fetched = self.player_ref.id().and_then(|id| known.players.get(&id)).zip(self.queued_at);
        let is_fresh = |unit| {
            fetched.is_some_and(|(fetched, at)| {
                fetched.is_fresh(unit, at) || (!priority && fetched.is_under_way(unit, at))
            })
        };
        self.units.retain(|unit| !is_fresh(*unit));
        let refusal = |unit: &Unit| Some((*unit, known.refusal(self.player_ref.id(), *unit)?.to_owned()));
        self.refused = self.units.iter().filter_map(refusal).collect();
        self.units.retain(|unit| self.refused.iter().all(|(refused, _)| refused != unit));
        match (self.units.is_empty(), self.refused.is_empty()) {
            (false, _) => Remaining::Open,
            (true, true) => Remaining::Fresh,
            (true, false) => Remaining::Refused,
        }
    }

    /// Raids and difficulties still missing: not yet requested, or requested without success.
    pub(super) fn left(&self) -> impl Iterator<Item = Unit> {
        self.units.iter().chain(&self.missing).copied()
    }

    /// Ends the message: nothing more is to be fetched under this id.
    pub(super) fn complete(&mut self) {
        self.units.clear();
        self.missing.clear();
        self.reasons.clear();
    }

    /// Marks these raids and difficulties as requested, so that they are not requested again in this invocation.
    pub(super) fn asked(&mut self, units: &[Unit]) {
        self.units.retain(|unit| !units.contains(unit));
    }

    /// Records that these did not come. The message only records those that it asks for.
    pub(super) fn lacks(&mut self, missing: &[Unit], reason: &str) {
        let before = self.missing.len();
        self.missing.extend(missing.iter().filter(|unit| self.wanted.contains(unit)));
        if self.missing.len() > before {
            self.reasons.push(reason.to_owned());
        }
    }

    /// Why the message must not simply be acknowledged. If something did not come, it comes back as it was sent; what
    /// is stored by then is not fetched again.
    pub(super) fn exception(self) -> Option<MessageException> {
        let lacking = (!self.missing.is_empty()).then(|| Disposition::Retry { reason: self.reasons.join("; ") });
        let disposition = self.exception.or(lacking)?;
        Some(MessageException { message_id: self.message_id, disposition })
    }
}
