//! Points, the currency of a rationed API, in integer micro-points.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount of API points, counted in millionths of a point.
///
/// Upstreams send fractional floats. Sums of floats drift and compare unreliably, so an amount is rounded to the
/// nearest micro-point once, on input, and is an integer from then on. Arithmetic saturates at the ends of the range:
/// an amount never wraps and never goes below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Points(u64);

const MICROS_PER_POINT: u64 = 1_000_000;

/// The largest amount that a float carries exactly, to the micro-point, through a division and a multiplication (2^50
/// micro-points, about a billion points).
const LARGEST_EXACT: f64 = 1_125_899_906.0;

impl Points {
    /// No points.
    pub const ZERO: Points = Points(0);
    /// More points than any upstream grants.
    pub const MAX: Points = Points(i64::MAX as u64);

    /// Creates an amount of whole points.
    pub const fn whole(points: u64) -> Points {
        Points(points.saturating_mul(MICROS_PER_POINT))
    }

    /// Creates an amount from micro-points, the unit in which it is stored.
    pub const fn from_micros(micros: u64) -> Points {
        Points(micros)
    }

    /// Returns the amount in micro-points, the unit in which it is stored.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Converts points as an upstream sends them, to the nearest micro-point. Returns `None` if the number is negative,
    /// not a number, or too large to be exact.
    pub fn from_float(points: f64) -> Option<Points> {
        (0.0..=LARGEST_EXACT).contains(&points).then(|| Points((points * MICROS_PER_POINT as f64).round() as u64))
    }

    /// Converts an amount that was written as a float and is too large to be exact to the nearest representable amount,
    /// so that every record that was written can be read. Returns `None` if the number is negative or not finite.
    fn beyond_exact(points: f64) -> Option<Points> {
        // The cast saturates at the largest amount.
        (points.is_finite() && points >= 0.0).then_some(Points((points * MICROS_PER_POINT as f64) as u64))
    }

    /// Returns the amount as a float, for display and JSON.
    pub fn to_float(self) -> f64 {
        self.0 as f64 / MICROS_PER_POINT as f64
    }

    /// Returns the sum, or `None` if it is out of range.
    pub fn checked_add(self, other: Points) -> Option<Points> {
        self.0.checked_add(other.0).map(Points)
    }

    /// Returns the sum, or the largest amount if it is out of range.
    pub const fn saturating_add(self, other: Points) -> Points {
        Points(self.0.saturating_add(other.0))
    }

    /// Returns the difference, or zero if it is negative.
    pub const fn saturating_sub(self, other: Points) -> Points {
        Points(self.0.saturating_sub(other.0))
    }

    /// Returns this amount multiplied by `times`, or the largest amount if that is out of range.
    pub const fn saturating_mul(self, times: u64) -> Points {
        Points(self.0.saturating_mul(times))
    }

    /// Returns how many times `part` fits into this amount. Returns `u64::MAX` if `part` is zero.
    pub fn times(self, part: Points) -> u64 {
        self.0.checked_div(part.0).unwrap_or(u64::MAX)
    }

    /// Returns whether the amount is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl std::iter::Sum for Points {
    fn sum<I: Iterator<Item = Points>>(amounts: I) -> Points {
        amounts.fold(Points::ZERO, Points::saturating_add)
    }
}

impl fmt::Display for Points {
    /// Formats the amount without trailing zeros: `18000`, `22.5`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / MICROS_PER_POINT, self.0 % MICROS_PER_POINT);
        if fraction == 0 {
            return write!(formatter, "{whole}");
        }
        let digits = format!("{fraction:06}");
        write!(formatter, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl Serialize for Points {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.to_float())
    }
}

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Points, D::Error> {
        let points = f64::deserialize(deserializer)?;
        Points::from_float(points)
            .or_else(|| Points::beyond_exact(points))
            .ok_or_else(|| serde::de::Error::custom(format!("{points} is not an amount of points")))
    }
}

impl std::str::FromStr for Points {
    type Err = String;

    fn from_str(text: &str) -> Result<Points, String> {
        let number = text.trim().parse::<f64>().ok().and_then(Points::from_float);
        number.ok_or_else(|| format!("'{text}' is not an amount of points, such as 18000 or 22.5"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_is_rounded_to_the_nearest_micro_point() {
        assert_eq!(Points::from_float(22.5), Some(Points::from_micros(22_500_000)));
        assert_eq!(Points::from_float(0.1 + 0.2), Some(Points::from_micros(300_000)));
        assert_eq!(Points::from_float(-1.0), None);
        assert_eq!(Points::from_float(f64::NAN), None);
        assert_eq!(Points::from_float(1e30), None);
    }

    #[test]
    fn every_amount_a_key_can_hold_survives_the_float() {
        for micros in [1, 999_999, 72_000_000_000, 71_999_999_999, 123_456_789_012, 1_125_899_905_999_999] {
            let points = Points::from_micros(micros);
            assert_eq!(Points::from_float(points.to_float()), Some(points));
        }
    }

    #[test]
    fn every_amount_that_was_written_can_be_read() {
        for micros in [0, 9_007_199_254_000_000, 9_007_199_254_740_993, 2_582_490_228_261_199_000, u64::MAX] {
            let written = serde_json::to_string(&Points::from_micros(micros)).unwrap();
            let read: Points = serde_json::from_str(&written).unwrap();
            assert!(read.micros().abs_diff(micros) <= micros >> 50, "{micros} as {written}: {read}");
        }
        for nonsense in ["-1.0", "null", "\"18000\""] {
            assert!(serde_json::from_str::<Points>(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn amounts_read_like_numbers() {
        assert_eq!(Points::whole(18_000).to_string(), "18000");
        assert_eq!(Points::from_micros(22_500_000).to_string(), "22.5");
        assert_eq!("22.5".parse(), Ok(Points::from_micros(22_500_000)));
        assert!("many".parse::<Points>().is_err());
    }

    #[test]
    fn arithmetic_never_wraps() {
        assert_eq!(Points::whole(1).saturating_sub(Points::whole(2)), Points::ZERO);
        assert_eq!(Points::whole(10).times(Points::whole(3)), 3);
        assert_eq!(Points::whole(10).times(Points::ZERO), u64::MAX);
        assert_eq!(Points::from_micros(u64::MAX).checked_add(Points::from_micros(1)), None);
    }
}
