//! The holds of a key in groups, each a row: as text, and back.

use stint_core::clock::{from_millis, to_millis};
use stint_core::ledger::{Hold, HoldState, Holds};
use stint_core::points::Points;

/// Sequence numbers in a group. A row stays well below the thousand bytes that SQLite keeps in a page of such a table.
const SIZE: u64 = 16;

/// A hold as it is stored: sequence, amount in micro-points, when it expires, and the sequence number of its call's end.
type Stored = (u64, u64, i64, Option<u64>);

/// The group that a sequence number belongs to.
pub(super) fn number(sequence: u64) -> u64 {
    sequence / SIZE
}

/// What is left of a group; `None` when all its holds are gone.
pub(super) fn write(holds: &Holds, number: u64) -> serde_json::Result<Option<String>> {
    let first = number * SIZE;
    let stored = |sequence: u64| -> Option<Stored> {
        let hold = holds.get(sequence)?;
        let ended = match hold.state {
            HoldState::InFlight => None,
            HoldState::Unconfirmed { ended } => Some(ended),
        };
        Some((sequence, hold.amount.micros(), to_millis(hold.expires_at), ended))
    };
    let group: Vec<Stored> = (first..first + SIZE).filter_map(stored).collect();
    if group.is_empty() { Ok(None) } else { serde_json::to_string(&group).map(Some) }
}

/// Adds the holds of a group. Says whether all of it made sense; what did not is left out.
pub(super) fn read(text: &str, number: u64, holds: &mut Holds) -> bool {
    let Ok(group) = serde_json::from_str::<Vec<serde_json::Value>>(text) else { return false };
    let mut sound = true;
    for stored in group {
        match serde_json::from_value(stored).ok().and_then(|stored| hold(stored, number)) {
            Some((sequence, hold)) => holds.insert(sequence, hold),
            None => sound = false,
        }
    }
    sound
}

fn hold((sequence, amount, expires_at, ended): Stored, number: u64) -> Option<(u64, Hold)> {
    let state = match ended {
        None => HoldState::InFlight,
        Some(ended) => HoldState::Unconfirmed { ended },
    };
    let hold = Hold { amount: Points::from_micros(amount), expires_at: from_millis(expires_at), state };
    let possible = self::number(sequence) == number && ended.is_none_or(|ended| ended > sequence);
    possible.then_some((sequence, hold))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(group: &str, number: u64) -> (bool, Holds) {
        let mut holds = Holds::default();
        (read(group, number, &mut holds), holds)
    }

    #[test]
    fn a_group_is_read_as_it_was_written() {
        let text = "[[32,20000000,1763632800000,null],[47,1,0,18446744073709551615]]";
        let (sound, holds) = holds(text, 2);
        assert!(sound && (holds.len(), holds.in_flight(), holds.unconfirmed().micros()) == (2, 1, 1));
        assert_eq!(write(&holds, 2).unwrap().as_deref(), Some(text));
        assert_eq!((write(&holds, 1).unwrap(), write(&holds, 3).unwrap()), (None, None));
    }

    #[test]
    fn what_makes_no_sense_is_left_out_and_said() {
        for damaged in ["[20,-1,0,null]", "[20,1,0,19]", "[20,1,0]", "[20,1,0,\"5\"]", "[32,1,0,null]", "null"] {
            let (sound, holds) = holds(&format!("[[17,5,0,null],{damaged}]"), 1);
            assert!(!sound && holds.len() == 1, "{damaged}");
        }
        assert!(!holds("[[17,5,0,null]", 1).0);
    }
}
