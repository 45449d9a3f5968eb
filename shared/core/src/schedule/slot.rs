//! Slots of a period below a minute, as messages.
//!
//! EventBridge Scheduler starts a function at most once a minute. A worker with a shorter period is therefore started
//! once a minute and sends one message for each slot of that minute to a queue, with a delay until the slot begins. The
//! worker that the queue feeds does nothing for a slot that has been overtaken by the next one, so that a queue that was
//! paused for an hour does not lead to a burst of calls.
//!
//! # What may happen between any two lines
//! * *The sender exits before it has sent all messages:* the tick is retried, or the slots of that minute are lost and
//!   the next minute has its own. Some slots may be sent twice.
//! * *A tick comes twice, or a message is delivered twice:* the slot is handled twice, which its worker must tolerate.
//! * *A tick comes late:* slots that are overtaken by then are left out, and the current one is sent without a delay.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::slot_after;
use crate::clock::{after, before, between};
use crate::ports::NewMessage;
use crate::worker::WorkerError;

/// The time between two ticks whose slots are sent.
const MINUTE: Duration = Duration::from_secs(60);

/// One slot of an aligned schedule. As JSON it is the body of its message, or a part of a larger body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// When it begins.
    pub slot: Timestamp,
    /// When the next one begins.
    pub until: Timestamp,
}

impl Slot {
    /// Returns the slots of `period` that begin within a minute from the tick that was due at `tick`, so that ticks a
    /// minute apart have every slot once, whichever second they come at.
    pub fn of_minute(period: Duration, tick: Timestamp) -> Vec<Slot> {
        let end = after(tick, MINUTE);
        let mut slots = Vec::new();
        let mut slot = slot_after(period, before(tick, Duration::from_millis(1)));
        while slot < end {
            let until = slot_after(period, slot);
            slots.push(Slot { slot, until });
            slot = until;
        }
        slots
    }

    /// Returns the messages of the slots of a minute, each delayed until its slot begins. Leaves out what is overtaken
    /// at `now`.
    pub fn messages(period: Duration, tick: Timestamp, now: Timestamp) -> Vec<NewMessage> {
        let slots = Slot::of_minute(period, tick);
        slots.into_iter().filter(|slot| !slot.is_overtaken(now)).map(|slot| slot.message(now)).collect()
    }

    /// Returns the message of this slot, delayed until the slot begins.
    pub fn message(&self, now: Timestamp) -> NewMessage {
        NewMessage { delay: between(now, self.slot), ..NewMessage::new(self.body()) }
    }

    /// Returns the body of its message.
    pub fn body(&self) -> String {
        format!(r#"{{"slot":"{}","until":"{}"}}"#, self.slot, self.until)
    }

    /// Parses the body of a message. The error names the invalid field, and no retry helps.
    pub fn parse(body: &str) -> Result<Slot, WorkerError> {
        serde_json::from_str(body).map_err(|error| WorkerError::Event(format!("not a slot: {error}")))
    }

    /// Returns whether the next slot has begun, so that nothing is to be done for this one.
    pub fn is_overtaken(&self, now: Timestamp) -> bool {
        now >= self.until
    }
}
