//! One message of a batch: what is still to be fetched of its player, and its fate.

use jiff::Timestamp;
use stint_core::worker::{Disposition, MessageException};

use crate::client::RanksOf;
use crate::message::{PlayerMessage, Sent};
use crate::model::Unit;
use crate::store::Known;
use crate::whom::Whom;

/// A message as it came: from a queue, from where it was parked, or from a person.
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) body: String,
    /// `None` for a person's, who wants an answer from now.
    pub(crate) sent_at: Option<Timestamp>,
}

/// A message that could be read.
pub(super) struct Message {
    pub(super) message_id: String,
    pub(super) whom: Whom,
    /// How the player was asked for at first, if that was otherwise.
    pub(super) asked_as: Option<Whom>,
    /// When the player was asked for.
    pub(super) queued_at: Option<Timestamp>,
    /// What the message itself asks for.
    wanted: Vec<Unit>,
    /// What is still to be fetched.
    pub(super) units: Vec<Unit>,
    /// What the upstream refuses for every player, and why: it is not asked.
    pub(super) refused: Vec<(Unit, String)>,
    /// What did not come.
    missing: Vec<Unit>,
    /// Why it did not.
    reasons: Vec<String>,
    /// Asked for without company, since a never-classed player may spoil the answer of all.
    pub(super) alone: bool,
    pub(super) failed_calls: u32,
    pub(super) exception: Option<Disposition>,
}

/// What a look at the store did to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Something is left to be fetched.
    Open,
    /// All of it was fetched since the message was sent.
    Fresh,
    /// Nothing is left to be fetched, and some of it is refused.
    Refused,
}

impl Message {
    /// Reads a message. The error says what is wrong with it.
    pub(super) fn read(letter: &Letter) -> Result<Message, String> {
        let Sent { message: PlayerMessage { whom, raids_to_scrap }, queued_at, asked_as } = Sent::read(&letter.body)?;
        let wanted: Vec<Unit> = raids_to_scrap.units().collect();
        Ok(Message {
            message_id: letter.id.clone(),
            whom,
            asked_as,
            queued_at: queued_at.or(letter.sent_at),
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

    pub(super) fn request(&self) -> RanksOf {
        RanksOf { whom: self.whom.clone(), units: self.units.clone() }
    }

    /// The message with just the rest of its raids and difficulties.
    pub(super) fn rest(&self) -> String {
        let raids_to_scrap = self.units.iter().copied().collect();
        let message = PlayerMessage { whom: self.whom.clone(), raids_to_scrap };
        Sent { message, queued_at: self.queued_at, asked_as: self.asked_as.clone() }.to_body()
    }

    /// Takes off what was fetched since the message was sent, or for another one that is under way unless the message is
    /// `priority`, and what the upstream refuses.
    pub(super) fn pass_over(&mut self, known: &Known, priority: bool) -> Look {
        let fetched = self.whom.id().and_then(|id| known.players.get(&id)).zip(self.queued_at);
        let is_fresh = |unit| {
            fetched.is_some_and(|(fetched, at)| {
                fetched.is_fresh(unit, at) || (!priority && fetched.is_under_way(unit, at))
            })
        };
        self.units.retain(|unit| !is_fresh(*unit));
        let refusal = |unit: &Unit| Some((*unit, known.refusal(self.whom.id(), *unit)?.to_owned()));
        self.refused = self.units.iter().filter_map(refusal).collect();
        self.units.retain(|unit| self.refused.iter().all(|(refused, _)| refused != unit));
        match (self.units.is_empty(), self.refused.is_empty()) {
            (false, _) => Look::Open,
            (true, true) => Look::Fresh,
            (true, false) => Look::Refused,
        }
    }

    /// What has not come yet, be it that it was not asked for or that it did not come.
    pub(super) fn left(&self) -> impl Iterator<Item = Unit> {
        self.units.iter().chain(&self.missing).copied()
    }

    /// Nothing of it is to be fetched under this id any more.
    pub(super) fn end(&mut self) {
        self.units.clear();
        self.missing.clear();
        self.reasons.clear();
    }

    /// These raids and difficulties were asked for, and are not asked for again now.
    pub(super) fn asked(&mut self, units: &[Unit]) {
        self.units.retain(|unit| !units.contains(unit));
    }

    /// These of them did not come. The message remembers those that are its own.
    pub(super) fn lacks(&mut self, missing: &[Unit], reason: &str) {
        let before = self.missing.len();
        self.missing.extend(missing.iter().filter(|unit| self.wanted.contains(unit)));
        if self.missing.len() > before {
            self.reasons.push(reason.to_owned());
        }
    }

    /// Why the message must not simply be acknowledged. When something did not come, it comes back as it was sent; what is
    /// stored by then is not fetched again.
    pub(super) fn exception(self) -> Option<MessageException> {
        let lacking = (!self.missing.is_empty()).then(|| Disposition::Retry { reason: self.reasons.join("; ") });
        let disposition = self.exception.or(lacking)?;
        Some(MessageException { message_id: self.message_id, disposition })
    }
}
