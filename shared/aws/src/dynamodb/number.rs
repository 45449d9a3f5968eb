//! Numbers as DynamoDB keeps them: decimals of up to 38 significant digits, which no type of Rust holds, so they stay
//! text.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.Number>

/// The most significant digits of a number.
const MOST_DIGITS: usize = 38;

/// The range of the exponent of a number's first digit.
const EXPONENTS: std::ops::RangeInclusive<i64> = -130..=125;

/// A decimal in its only form: `digits` × 10^`exponent`, without zeros at either end of `digits`. Zero has no digits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Parses a number as JSON writes it. Returns `None` if the text is not a number.
    pub(super) fn parse(text: &str) -> Option<Decimal> {
        let (is_negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], parse_exponent(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let has_leading_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || has_leading_zero || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let written = [whole, fraction].concat();
        let digits = written.trim_end_matches('0');
        let dropped = (written.len() - digits.len()) as i64 - fraction.len() as i64;
        let digits = digits.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Decimal { is_negative: false, digits, exponent: 0 });
        }
        Some(Decimal { is_negative, digits, exponent: exponent.saturating_add(dropped) })
    }

    /// Returns why DynamoDB would not keep this number exactly, if it would not.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        if self.digits.len() > MOST_DIGITS {
            return Some("a number has at most 38 significant digits");
        }
        let first = self.exponent.saturating_add(self.digits.len() as i64 - 1);
        (!self.digits.is_empty() && !EXPONENTS.contains(&first)).then_some("a number is between 1e-130 and 9.9e125")
    }
}

/// Parses what follows the letter of an exponent. One that is too long for any number saturates.
fn parse_exponent(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Beyond any range, but far from the limits of the type, so that sums cannot wrap.
    let size = digits.parse::<i64>().unwrap_or(i64::MAX).min(1 << 40);
    Some(if is_negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap_or_else(|| panic!("{text} is a number"))
    }

    #[test]
    fn equal_numbers_have_one_form() {
        for (one, other) in [("1", "1.0"), ("1e3", "1000"), ("0.0010", "1E-3"), ("-0.0", "0"), ("12e+1", "120.00")] {
            assert_eq!(decimal(one), decimal(other), "{one} {other}");
        }
        for (one, other) in [("1", "-1"), ("1", "10"), ("0.1", "0.10000000000000000001")] {
            assert_ne!(decimal(one), decimal(other), "{one} {other}");
        }
    }

    #[test]
    fn text_that_json_does_not_allow_is_no_number() {
        for text in ["", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x1", "NaN", "1 ", "1_000", "--1"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_beyond_the_limits_are_refused() {
        let nines = "9".repeat(38);
        for kept in [nines.as_str(), "1e125", "9.9e125", "-1e-130", "0e999", "0.0", &format!("{nines}000e80")] {
            assert_eq!(decimal(kept).refusal(), None, "{kept}");
        }
        assert!(decimal(&format!("1{nines}")).refusal().unwrap().contains("38"));
        for refused in ["1e126", "1e-131", "1e99999999999999999999", "-1e-99999999999999999999"] {
            assert!(decimal(refused).refusal().unwrap().contains("1e-130"), "{refused}");
        }
    }
}
