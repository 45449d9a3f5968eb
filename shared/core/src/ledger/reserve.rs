//! Asking for points: what is wanted, what is granted, and why not.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{HoldId, KeyId};
use crate::points::Points;

/// What a batch of messages would cost, unit by unit. A unit is what cannot be split: one raid in one difficulty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// For each message the upper bound of each of its units.
    pub messages: Vec<Vec<Points>>,
    /// How long the call may take. The hold ends by itself soon after.
    pub call_timeout: Duration,
    /// Whether the reserve may be spent too.
    pub priority: bool,
}

impl Ask {
    /// The least that a grant can be: the cheapest first unit of a message, since units are taken from the head. A
    /// cheaper one behind it does not help. `None` when nothing is asked for.
    pub fn smallest_start(&self) -> Option<Points> {
        self.cheapest_start().map(|(_, unit)| unit)
    }

    /// The message that a grant can start with most cheaply, and that unit's bound.
    pub(super) fn cheapest_start(&self) -> Option<(usize, Points)> {
        let starts = self.messages.iter().enumerate().filter_map(|(message, units)| Some((message, *units.first()?)));
        starts.min_by_key(|(_, unit)| *unit)
    }

    /// How many units it asks for.
    pub(super) fn units(&self) -> usize {
        self.messages.iter().map(Vec::len).sum()
    }

    /// The bounds of the units that were taken, together.
    pub(super) fn amount(&self, taken: &[usize]) -> Points {
        self.messages.iter().zip(taken).flat_map(|(units, taken)| units.iter().take(*taken)).copied().sum()
    }

    /// The smallest whole message.
    pub(super) fn cheapest_message(&self) -> Option<Points> {
        self.messages.iter().filter(|units| !units.is_empty()).map(|units| units.iter().copied().sum()).min()
    }

    /// The dearest single unit.
    pub fn largest_unit(&self) -> Option<Points> {
        self.messages.iter().flatten().max().copied()
    }

    /// Everything together.
    pub fn total(&self) -> Points {
        self.messages.iter().flatten().copied().sum()
    }

    /// Which units fit into `room`, as units taken from the head of each message. Whole messages come first, the
    /// largest before the smaller; only when not one whole message fits is a message split by unit.
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

    /// Takes the units of one message that fit, in order, from the message that uses the room best.
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

/// Points lent to one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// To settle with. Its key is the key to call with.
    pub hold: HoldId,
    /// How much is held.
    pub amount: Points,
    /// For each message of the ask how many of its units are paid for, from the head.
    pub taken: Vec<usize>,
}

/// The answer to an ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// Call now.
    Granted(Grant),
    /// Not now. This is no failure: the points come back at the earliest of the waits.
    Refused {
        /// What each key would need, soonest first.
        waits: Vec<Wait>,
    },
    /// Never: the dearest unit is larger than the whole window of every key.
    Unpriceable {
        /// The unit's bound.
        unit: Points,
        /// The largest amount that any key can ever grant.
        largest: Points,
    },
}

/// Why a key grants nothing, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// The key.
    pub key: KeyId,
    /// The cheapest unit that a grant could start with.
    pub needed: Points,
    /// What the key could lend now to this ask.
    pub free: Points,
    /// When the key may have more. `None` when it waits to be read, which somebody may do now.
    pub until: Option<Timestamp>,
}
