//! Chooses the players to queue when more are due than there is room for.

use std::collections::BinaryHeap;

use jiff::Timestamp;

use crate::model::PlayerId;
use crate::store::Due;

/// Who is queued first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum QueueOrder {
    /// Players that were never fetched, then those with the oldest ranks.
    Stalest,
    /// By id, as in the source document.
    Discovered,
}

/// The first `room` of the offered players, however many are offered: 16 bytes for each chosen player.
pub(crate) struct DueSelection {
    order: QueueOrder,
    room: usize,
    /// Ordered by place in the queue, the last on top.
    chosen: BinaryHeap<(i64, PlayerId)>,
}

impl DueSelection {
    pub(crate) fn new(order: QueueOrder, room: usize) -> DueSelection {
        DueSelection { order, room, chosen: BinaryHeap::new() }
    }

    pub(crate) fn offer(&mut self, due: Due) {
        let place = match self.order {
            // Players who were never fetched come first.
            QueueOrder::Stalest => due.fetched_at.map_or(i64::MIN, Timestamp::as_millisecond),
            QueueOrder::Discovered => 0,
        };
        let offered = (place, due.id);
        if self.chosen.len() < self.room {
            self.chosen.push(offered);
        } else if let Some(mut last) = self.chosen.peek_mut().filter(|last| **last > offered) {
            *last = offered;
        }
    }

    pub(crate) fn in_order(self) -> Vec<PlayerId> {
        self.chosen.into_sorted_vec().into_iter().map(|(_, id)| id).collect()
    }
}
