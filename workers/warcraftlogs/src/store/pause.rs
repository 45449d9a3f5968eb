//! Why a discovery rule is paused, and until when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The end of a pause that only a person can end: a year that no clock reaches.
const NEVER: Timestamp = Timestamp::constant(253_000_000_000, 0);

/// A pause of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The end of the pause.
    pub until: Timestamp,
    /// The reason in words.
    pub reason: String,
}

impl Pause {
    /// A pause that lasts until the rule is changed.
    pub fn until_changed(reason: String) -> Pause {
        Pause { until: NEVER, reason }
    }

    /// Whether only a change of the rule ends it. Other rules do not wait for such a rule.
    pub fn is_until_changed(&self) -> bool {
        self.until >= NEVER
    }
}
