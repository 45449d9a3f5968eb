//! Messages that wait for points.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::after;
use stint_core::ports::Parked;

/// Parked messages, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Parking {
    /// By the order in which they were parked.
    parked: BTreeMap<u64, Parked>,
    by_id: HashMap<String, u64>,
    /// Those that nobody has on loan.
    free: BTreeMap<u64, ()>,
    /// Those on loan, by when the loan ends.
    lent: BTreeMap<(Timestamp, u64), ()>,
    sequence: u64,
}

impl Parking {
    pub(super) fn len(&self) -> usize {
        self.parked.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Parked> {
        self.parked.values()
    }

    /// Parks a message; one of the same id is replaced, and is then on loan to nobody.
    pub(super) fn park(&mut self, message: &Parked) {
        self.remove(&message.id);
        self.sequence += 1;
        self.by_id.insert(message.id.clone(), self.sequence);
        self.free.insert(self.sequence, ());
        self.parked.insert(self.sequence, message.clone());
    }

    pub(super) fn lend(&mut self, queue: &str, max: usize, lease: Duration, now: Timestamp) -> Vec<Parked> {
        while let Some(loan) = self.lent.first_entry().filter(|loan| loan.key().0 <= now) {
            self.free.insert(loan.key().1, ());
            loan.remove();
        }
        let of_queue = |number: &u64| self.parked.get(number).is_some_and(|parked| parked.queue == queue);
        let numbers: Vec<u64> = self.free.keys().copied().filter(of_queue).take(max).collect();
        for number in &numbers {
            self.free.remove(number);
            self.lent.insert((after(now, lease), *number), ());
        }
        numbers.iter().filter_map(|number| self.parked.get(number).cloned()).collect()
    }

    /// Drops a message, unless it was parked anew.
    pub(super) fn forget(&mut self, message: &Parked) {
        let known = self.by_id.get(&message.id).and_then(|number| self.parked.get(number));
        if known == Some(message) {
            self.remove(&message.id);
        }
    }

    fn remove(&mut self, id: &str) {
        let Some(number) = self.by_id.remove(id) else { return };
        self.parked.remove(&number);
        if self.free.remove(&number).is_none() {
            self.lent.retain(|(_, lent), ()| *lent != number);
        }
    }
}
