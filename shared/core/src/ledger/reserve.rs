//! Asks for points, grants, and refusals.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{HoldId, KeyId};
use crate::points::Points;

/// The cost of a batch of messages, unit by unit. A unit is the smallest piece of work: one raid in one difficulty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// For each message, the upper bound of each of its units.
    pub messages: Vec<Vec<Points>>,
    /// How long the call may take. The hold expires soon after.
    pub call_timeout: Duration,
    /// Whether the call may also spend the reserve.
    pub priority: bool,
}

impl Ask {
    /// Returns the smallest possible grant: the cheapest first unit of a message. Units are taken from the head of a
    /// message, so a cheaper unit behind it does not help. Returns `None` if the ask is empty.
    pub fn smallest_start(&self) -> Option<Points> {
        self.cheapest_start().map(|(_, unit)| unit)
    }

    /// Returns the message with the cheapest first unit, and that unit's bound.
    pub(super) fn cheapest_start(&self) -> Option<(usize, Points)> {
        let starts = self.messages.iter().enumerate().filter_map(|(message, units)| Some((message, *units.first()?)));
        starts.min_by_key(|(_, unit)| *unit)
    }

    /// Returns the number of units.
    pub(super) fn units(&self) -> usize {
        self.messages.iter().map(Vec::len).sum()
    }

    /// Returns the sum of the bounds of the units that were taken.
    pub(super) fn amount(&self, taken: &[usize]) -> Points {
        self.messages.iter().zip(taken).flat_map(|(units, taken)| units.iter().take(*taken)).copied().sum()
    }

    /// Returns the cost of the cheapest whole message.
    pub(super) fn cheapest_message(&self) -> Option<Points> {
        self.messages.iter().filter(|units| !units.is_empty()).map(|units| units.iter().copied().sum()).min()
    }

    /// Returns the bound of the most expensive unit.
    pub fn largest_unit(&self) -> Option<Points> {
        self.messages.iter().flatten().max().copied()
    }

    /// Returns the sum of all bounds.
    pub fn total(&self) -> Points {
        self.messages.iter().flatten().copied().sum()
    }

    /// Returns which units fit into `room`: for each message, how many units from its head. Whole messages are taken
    /// first, larger before smaller. A message is split by unit only if no whole message fits.
    pub(super) fn fit(&self, room: Points) -> Vec<usize> {
        let mut taken = vec![0; self.messages.len()];
        let mut left = room;
        let mut order: Vec<usize> = (0..self.messages.len()).collect();
        let cost = |index: usize| self.messages[index].iter().copied().sum::<Points>();
        order.sort_by_key(|index| std::cmp::Reverse(cost(*index)));
        for &index in &order {
            if !self.messages[index].is_empty() && cost(index) <= left {
                left = left.saturating_sub(cost(index));
                taken[index] = self.messages[index].len();
            }
        }
        if taken.iter().all(|units| *units == 0) {
            self.split_one(&order, left, &mut taken);
        }
        taken
    }

    /// Takes, in order, the fitting units of the message that uses the room best.
    fn split_one(&self, order: &[usize], room: Points, taken: &mut [usize]) {
        let part = |index: usize| {
            let mut left = room;
            let units = self.messages[index].iter().take_while(|unit| {
                let fits = **unit <= left;
                if fits {
                    left = left.saturating_sub(**unit);
                }
                fits
            });
            (units.count(), room.saturating_sub(left))
        };
        if let Some(&best) = order.iter().max_by_key(|index| part(**index).1) {
            taken[best] = part(best).0;
        }
    }
}

/// Points held for one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The hold to settle after the call. Its key is the key to call with.
    pub hold: HoldId,
    /// How much is held.
    pub amount: Points,
    /// For each message of the ask, how many of its units are paid for, from the head.
    pub taken: Vec<usize>,
}

/// The result of an ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// Call now.
    Granted(Grant),
    /// Do not call now. This is not a failure: points come back at the earliest of the waits.
    Refused {
        /// What each key would need, soonest first.
        waits: Vec<KeyWait>,
    },
    /// The call can never be made: its most expensive unit is larger than the whole window of every key.
    Unpriceable {
        /// The unit's bound.
        unit: Points,
        /// The largest amount that any key can ever grant.
        largest: Points,
    },
}

/// Why a key grants nothing, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyWait {
    /// The key.
    pub key: KeyId,
    /// The cheapest unit that a grant could start with.
    pub needed: Points,
    /// What the key could grant to this ask now.
    pub free: Points,
    /// When the key may have more. `None` if it waits to be read, which any caller may do now.
    pub until: Option<Timestamp>,
}
