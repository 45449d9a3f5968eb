//! Time in documents: BSON dates, which have milliseconds.

use jiff::Timestamp;
use mongodb::bson::{Bson, DateTime};
use stint_core::clock::{from_millis, to_millis};

/// The date of an instant.
pub fn date(instant: Timestamp) -> DateTime {
    DateTime::from_millis(to_millis(instant))
}

/// The instant of a field that may be absent, or hold something else.
pub fn instant(value: Option<&Bson>) -> Option<Timestamp> {
    value.and_then(Bson::as_datetime).map(|date| from_millis(date.timestamp_millis()))
}
