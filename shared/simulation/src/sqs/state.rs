//! The messages of a queue, and the state of each.

use std::collections::{BTreeMap, VecDeque};

use futures::channel::oneshot;
use jiff::Timestamp;
use stint_core::clock::{from_millis, to_millis};
use stint_core::ports::{DeadLetter, Delivery, Receipt};

use super::message::{Bodies, StoredMessage};
use super::{SqsSettings, SqsUsage};
use crate::faults::{Fault, Faults};
use crate::random::Random;

/// A receive takes any of this many messages at the head: a standard queue keeps the order only approximately.
/// (assumed)
const DISORDER: u64 = 20;

/// With the fault `duplicates`: how many receives of a message are delivered twice, in per mille.
const DUPLICATES: u32 = 10;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) bodies: Bodies,
    pub(super) visible: VecDeque<StoredMessage>,
    /// Messages in flight, by receipt.
    pub(super) in_flight: BTreeMap<u64, InFlight>,
    /// When the visibility timeout of each of them ends.
    timeouts: BTreeMap<(i64, u64), ()>,
    /// Messages sent or released with a delay, by the end of the delay.
    pub(super) delayed: BTreeMap<(i64, u64), StoredMessage>,
    pub(super) dead: Vec<DeadLetter>,
    /// The reason of each message's last release, by the message's number.
    reasons: BTreeMap<u32, String>,
    pub(super) numbers: u32,
    sequence: u64,
    pub(super) usage: SqsUsage,
    /// Pollers that wait.
    pub(super) waiting: VecDeque<oneshot::Sender<()>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) message: StoredMessage,
    until: i64,
}

impl State {
    /// Makes the messages visible whose visibility timeout or delay has ended by `now`.
    pub(super) fn advance(&mut self, now: i64) {
        while let Some(((until, receipt), ())) =
            self.timeouts.first_key_value().filter(|((until, _), ())| *until <= now)
        {
            let key = (*until, *receipt);
            self.timeouts.remove(&key);
            if let Some(leased) = self.in_flight.remove(&key.1) {
                self.usage.lapsed += 1;
                self.visible.push_back(leased.message);
            }
        }
        while let Some(entry) = self.delayed.first_entry().filter(|entry| entry.key().0 <= now) {
            self.visible.push_back(entry.remove());
        }
    }

    /// The next time at which a message in flight or delayed becomes visible.
    pub(super) fn next_change(&self) -> Option<i64> {
        let timeout = self.timeouts.first_key_value().map(|((until, _), ())| *until);
        let delay = self.delayed.first_key_value().map(|((until, _), _)| *until);
        timeout.into_iter().chain(delay).min()
    }

    /// Makes a message visible at `visible_at`, or at once if that has passed.
    pub(super) fn place(&mut self, message: StoredMessage, visible_at: i64, now: i64) {
        if visible_at <= now {
            self.visible.push_back(message);
        } else {
            self.sequence += 1;
            self.delayed.insert((visible_at, self.sequence), message);
        }
    }

    /// Receives one message; `None` if none is left. A message received too often is dead-lettered, and an expired one
    /// is dropped.
    pub(super) fn receive(
        &mut self,
        now: Timestamp,
        settings: &SqsSettings,
        random: &Random,
        faults: &Faults,
    ) -> Option<Delivery> {
        let millis = to_millis(now);
        loop {
            let reach = (self.visible.len() as u64).min(DISORDER);
            let index = random.below(reach) as usize;
            let mut message = self.visible.swap_remove_front(index)?;
            if settings.is_expired(&message, now) {
                self.usage.expired += 1;
                continue;
            }
            if u32::from(message.receives) >= settings.queue.max_receives {
                let reason = self.reasons.remove(&message.number);
                let reason = reason.unwrap_or_else(|| format!("received {} times without success", message.receives));
                self.dead_letter(&message, reason, now);
                continue;
            }
            message.receives += 1;
            if faults.happens(Fault::Duplicates, DUPLICATES, random) {
                self.visible.push_back(message);
            }
            self.sequence += 1;
            let until = millis.saturating_add(settings.queue.visibility_timeout.as_millis() as i64);
            self.timeouts.insert((until, self.sequence), ());
            self.in_flight.insert(self.sequence, InFlight { message, until });
            self.usage.received += 1;
            return Some(Delivery {
                message_id: format!("m{}", message.number),
                receipt: Receipt(self.sequence.to_string()),
                body: self.bodies.read(&message),
                receive_count: u32::from(message.receives),
                sent_at: settings.sent_at(&message),
            });
        }
    }

    /// Takes a message out of flight; `None` if the receipt is stale.
    pub(super) fn end_flight(&mut self, receipt: &Receipt) -> Option<StoredMessage> {
        let number: u64 = receipt.0.parse().ok()?;
        let leased = self.in_flight.remove(&number)?;
        self.timeouts.remove(&(leased.until, number));
        Some(leased.message)
    }

    pub(super) fn acknowledge(&mut self, receipt: &Receipt) {
        if let Some(message) = self.end_flight(receipt) {
            self.reasons.remove(&message.number);
            self.usage.acknowledged += 1;
        }
    }

    pub(super) fn set_reason(&mut self, message: &StoredMessage, reason: &str) {
        self.reasons.insert(message.number, reason.to_owned());
    }

    pub(super) fn dead_letter(&mut self, message: &StoredMessage, reason: String, now: Timestamp) {
        self.reasons.remove(&message.number);
        self.dead.push(DeadLetter {
            message_id: format!("m{}", message.number),
            body: self.bodies.read(message),
            receive_count: u32::from(message.receives),
            reason,
            dead_lettered_at: now,
        });
    }

    /// Wakes up to `pollers` waiting pollers, one for each batch that there may be.
    pub(super) fn wake(&mut self, pollers: usize) {
        for _ in 0..pollers {
            // A poller that has given up is skipped.
            while let Some(waiting) = self.waiting.pop_front() {
                if waiting.send(()).is_ok() {
                    break;
                }
            }
        }
    }
}

impl SqsSettings {
    fn sent_at(&self, message: &StoredMessage) -> Timestamp {
        from_millis(to_millis(self.started) + i64::from(message.sent_at) * 1_000)
    }

    fn is_expired(&self, message: &StoredMessage, now: Timestamp) -> bool {
        to_millis(now) - to_millis(self.sent_at(message)) > self.retention.as_millis() as i64
    }
}
