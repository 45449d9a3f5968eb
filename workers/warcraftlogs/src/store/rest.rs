//! Why a discovery rule is left alone, and until when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Until then rests what only a person can mend: a year that no clock reaches.
const NEVER: Timestamp = Timestamp::constant(253_000_000_000, 0);

/// Why a rule is left alone for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// Until when.
    pub until: Timestamp,
    /// In words.
    pub reason: String,
}

impl Rest {
    /// A rest that lasts until the rule is changed.
    pub fn until_changed(reason: String) -> Rest {
        Rest { until: NEVER, reason }
    }

    /// Whether only a change of the rule ends it. Nothing waits for such a rule.
    pub fn is_until_changed(&self) -> bool {
        self.until >= NEVER
    }
}
