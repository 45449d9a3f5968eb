//! Time in documents: BSON dates, which have millisecond precision.

use jiff::Timestamp;
use mongodb::bson::{Bson, DateTime};
use stint_core::clock::{from_millis, to_millis};

/// Converts an instant to a date.
pub fn date(instant: Timestamp) -> DateTime {
    DateTime::from_millis(to_millis(instant))
}

/// Returns the instant of a field. `None` if it is absent or has another type.
pub fn instant(value: Option<&Bson>) -> Option<Timestamp> {
    value.and_then(Bson::as_datetime).map(|date| from_millis(date.timestamp_millis()))
}
