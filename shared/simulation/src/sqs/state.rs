//! The messages of a queue, and the state of each.

use std::collections::{BTreeMap, VecDeque};

use futures::channel::oneshot;
use jiff::Timestamp;
use stint_core::clock::{from_millis, to_millis};
use stint_core::ports::{DeadLetter, Delivery, Receipt};

use super::letter::{Bodies, Letter};
use super::{SqsSettings, SqsUsage};
use crate::dice::Dice;
use crate::faults::{Fault, Faults};

/// A receive takes any of this many messages at the head: a standard queue keeps the order only approximately.
/// (assumed)
const DISORDER: u64 = 20;

/// With the fault `duplicates`: how many receives of a message are delivered twice, in per mille.
const DUPLICATES: u32 = 10;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) bodies: Bodies,
    pub(super) visible: VecDeque<Letter>,
    /// Messages in flight, by receipt.
    pub(super) loans: BTreeMap<u64, Loan>,
    /// When the visibility timeout of each of them ends.
    lapses: BTreeMap<(i64, u64), ()>,
    /// Messages sent or released with a delay, by the end of the delay.
    pub(super) delayed: BTreeMap<(i64, u64), Letter>,
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
pub(super) struct Loan {
    pub(super) letter: Letter,
    until: i64,
}

impl State {
    /// Makes the messages visible whose visibility timeout or delay has ended by `now`.
    pub(super) fn settle(&mut self, now: i64) {
        while let Some(((until, loan), ())) = self.lapses.first_key_value().filter(|((until, _), ())| *until <= now) {
            let key = (*until, *loan);
            self.lapses.remove(&key);
            if let Some(loan) = self.loans.remove(&key.1) {
                self.usage.lapsed += 1;
                self.visible.push_back(loan.letter);
            }
        }
        while let Some(entry) = self.delayed.first_entry().filter(|entry| entry.key().0 <= now) {
            self.visible.push_back(entry.remove());
        }
    }

    /// The next time at which a message in flight or delayed becomes visible.
    pub(super) fn next_change(&self) -> Option<i64> {
        let lapse = self.lapses.first_key_value().map(|((until, _), ())| *until);
        let delay = self.delayed.first_key_value().map(|((until, _), _)| *until);
        lapse.into_iter().chain(delay).min()
    }

    /// Makes a message visible at `visible_at`, or at once if that has passed.
    pub(super) fn place(&mut self, letter: Letter, visible_at: i64, now: i64) {
        if visible_at <= now {
            self.visible.push_back(letter);
        } else {
            self.sequence += 1;
            self.delayed.insert((visible_at, self.sequence), letter);
        }
    }

    /// Receives one message; `None` if none is left. A message received too often is dead-lettered, and an expired one
    /// is dropped.
    pub(super) fn lend(
        &mut self,
        now: Timestamp,
        settings: &SqsSettings,
        dice: &Dice,
        faults: &Faults,
    ) -> Option<Delivery> {
        let millis = to_millis(now);
        loop {
            let reach = (self.visible.len() as u64).min(DISORDER);
            let index = dice.below(reach) as usize;
            let mut letter = self.visible.swap_remove_front(index)?;
            if settings.is_expired(&letter, now) {
                self.usage.expired += 1;
                continue;
            }
            if u32::from(letter.receives) >= settings.queue.max_receives {
                let reason = self.reasons.remove(&letter.number);
                let reason = reason.unwrap_or_else(|| format!("received {} times without success", letter.receives));
                self.bury(&letter, reason, now);
                continue;
            }
            letter.receives += 1;
            if faults.strike(Fault::Duplicates, DUPLICATES, dice) {
                self.visible.push_back(letter);
            }
            self.sequence += 1;
            let until = millis.saturating_add(settings.queue.visibility_timeout.as_millis() as i64);
            self.lapses.insert((until, self.sequence), ());
            self.loans.insert(self.sequence, Loan { letter, until });
            self.usage.received += 1;
            return Some(Delivery {
                message_id: format!("m{}", letter.number),
                receipt: Receipt(self.sequence.to_string()),
                body: self.bodies.read(&letter),
                receive_count: u32::from(letter.receives),
                sent_at: settings.sent_at(&letter),
            });
        }
    }

    /// Takes a message out of flight; `None` if the receipt is stale.
    pub(super) fn take_back(&mut self, receipt: &Receipt) -> Option<Letter> {
        let number: u64 = receipt.0.parse().ok()?;
        let loan = self.loans.remove(&number)?;
        self.lapses.remove(&(loan.until, number));
        Some(loan.letter)
    }

    pub(super) fn acknowledge(&mut self, receipt: &Receipt) {
        if let Some(letter) = self.take_back(receipt) {
            self.reasons.remove(&letter.number);
            self.usage.acknowledged += 1;
        }
    }

    pub(super) fn explain(&mut self, letter: &Letter, reason: &str) {
        self.reasons.insert(letter.number, reason.to_owned());
    }

    pub(super) fn bury(&mut self, letter: &Letter, reason: String, now: Timestamp) {
        self.reasons.remove(&letter.number);
        self.dead.push(DeadLetter {
            message_id: format!("m{}", letter.number),
            body: self.bodies.read(letter),
            receive_count: u32::from(letter.receives),
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
    fn sent_at(&self, letter: &Letter) -> Timestamp {
        from_millis(to_millis(self.started) + i64::from(letter.sent_at) * 1_000)
    }

    fn is_expired(&self, letter: &Letter, now: Timestamp) -> bool {
        to_millis(now) - to_millis(self.sent_at(letter)) > self.retention.as_millis() as i64
    }
}
