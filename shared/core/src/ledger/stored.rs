//! Conversion of holds to and from the text that stores keep.

use std::ops::RangeInclusive;

use super::{Hold, HoldState, Holds};
use crate::clock::{from_millis, to_millis};
use crate::points::Points;

/// A hold as it is stored: sequence number, amount in micro-points, expiry, and the sequence number of its call's end.
/// The last is absent while the call runs, and [`LOST`] while a lost call may still be billed.
type Stored = (u64, u64, i64, Option<u64>);

/// No call ends at this sequence number, because a hold's own sequence number is lower than that of its call's end.
const LOST: u64 = 0;

impl Holds {
    /// Returns the holds with these sequence numbers as text, or `None` if there are none.
    pub fn write(&self, sequences: RangeInclusive<u64>) -> serde_json::Result<Option<String>> {
        let stored: Vec<Stored> = self.range(sequences).map(|(sequence, hold)| store(sequence, hold)).collect();
        if stored.is_empty() { Ok(None) } else { serde_json::to_string(&stored).map(Some) }
    }

    /// Adds the holds from a text that was written for these sequence numbers. Entries that cannot be decoded are left
    /// out. Returns whether all could be decoded.
    pub fn read(&mut self, text: &str, sequences: &RangeInclusive<u64>) -> bool {
        let Ok(stored) = serde_json::from_str::<Vec<serde_json::Value>>(text) else { return false };
        let mut sound = true;
        for stored in stored {
            match serde_json::from_value(stored).ok().and_then(restore).filter(|(known, _)| sequences.contains(known)) {
                Some((sequence, hold)) => self.insert(sequence, hold),
                None => sound = false,
            }
        }
        sound
    }
}

fn store(sequence: u64, hold: &Hold) -> Stored {
    let ended = match hold.state {
        HoldState::InFlight => None,
        HoldState::Lost => Some(LOST),
        HoldState::Unconfirmed { ended } => Some(ended),
    };
    (sequence, hold.amount.micros(), to_millis(hold.expires_at), ended)
}

fn restore((sequence, amount, expires_at, ended): Stored) -> Option<(u64, Hold)> {
    let state = match ended {
        None => HoldState::InFlight,
        Some(LOST) => HoldState::Lost,
        Some(ended) => HoldState::Unconfirmed { ended },
    };
    let hold = Hold { amount: Points::from_micros(amount), expires_at: from_millis(expires_at), state };
    ended.is_none_or(|ended| ended == LOST || ended > sequence).then_some((sequence, hold))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str, sequences: RangeInclusive<u64>) -> (bool, Holds) {
        let mut holds = Holds::default();
        (holds.read(text, &sequences), holds)
    }

    #[test]
    fn holds_are_read_as_they_were_written() {
        let text = "[[32,20000000,1763632800000,null],[40,3,9,0],[47,1,0,18446744073709551615]]";
        let (sound, holds) = holds(text, 32..=47);
        assert!(sound && (holds.len(), holds.in_flight(), holds.unconfirmed().micros()) == (3, 1, 1));
        assert_eq!(holds.lost(), Points::from_micros(3));
        assert_eq!(holds.write(32..=47).unwrap().as_deref(), Some(text));
        assert_eq!((holds.write(16..=31).unwrap(), holds.write(48..=63).unwrap()), (None, None));
    }

    #[test]
    fn undecodable_holds_are_left_out_and_reported() {
        for damaged in ["[20,-1,0,null]", "[20,1,0,19]", "[20,1,0]", "[20,1,0,\"5\"]", "[32,1,0,null]", "null"] {
            let (sound, holds) = holds(&format!("[[17,5,0,null],{damaged}]"), 16..=31);
            assert!(!sound && holds.len() == 1, "{damaged}");
        }
        assert!(!holds("[[17,5,0,null]", 16..=31).0);
    }
}
