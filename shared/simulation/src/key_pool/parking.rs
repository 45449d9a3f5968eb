//! Messages that wait for points.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::after;
use stint_core::ports::{LONGEST_CLAIM, Parked};

/// A message's position: when it was parked, and a sequence number.
type Place = (Timestamp, u64);

/// Parked messages, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Parking {
    parked: BTreeMap<Place, Parked>,
    /// By queue and id.
    places: HashMap<String, HashMap<String, Place>>,
    /// Messages that are not claimed.
    free: BTreeSet<Place>,
    /// Claimed messages, by the end of the claim's lease.
    claimed: BTreeSet<(Timestamp, Place)>,
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

    /// Parks a message. It replaces a message of the same queue and id, and is not claimed.
    pub(super) fn park(&mut self, message: &Parked) {
        self.remove(message);
        self.sequence += 1;
        let place = (message.parked_at, self.sequence);
        self.places.entry(message.queue.clone()).or_default().insert(message.id.clone(), place);
        self.free.insert(place);
        self.parked.insert(place, message.clone());
    }

    pub(super) fn claim(&mut self, queue: &str, max: usize, lease: Duration, now: Timestamp) -> Vec<Parked> {
        while let Some(ended) = self.claimed.first().copied().filter(|(until, _)| *until <= now) {
            self.claimed.remove(&ended);
            self.free.insert(ended.1);
        }
        let lease = lease.min(LONGEST_CLAIM);
        while let Some(claim) = self.claimed.last().copied().filter(|(until, _)| *until > after(now, LONGEST_CLAIM)) {
            self.claimed.remove(&claim);
            self.free.insert(claim.1);
        }
        let of_queue = |place: &Place| self.parked.get(place).is_some_and(|parked| parked.queue == queue);
        let places: Vec<Place> = self.free.iter().copied().filter(of_queue).take(max).collect();
        for place in &places {
            self.free.remove(place);
            self.claimed.insert((after(now, lease), *place));
        }
        places.iter().filter_map(|place| self.parked.get(place).cloned()).collect()
    }

    /// Drops a message, unless it was parked again meanwhile: it is then free, or at another position.
    pub(super) fn forget(&mut self, message: &Parked) {
        let place = self.place(message).filter(|place| !self.free.contains(place));
        if place.and_then(|place| self.parked.get(&place)) == Some(message) {
            self.remove(message);
        }
    }

    fn place(&self, message: &Parked) -> Option<Place> {
        self.places.get(&message.queue)?.get(&message.id).copied()
    }

    fn remove(&mut self, message: &Parked) {
        let Some(place) = self.places.get_mut(&message.queue).and_then(|ids| ids.remove(&message.id)) else { return };
        self.parked.remove(&place);
        if !self.free.remove(&place) {
            self.claimed.retain(|(_, claimed)| *claimed != place);
        }
    }
}
