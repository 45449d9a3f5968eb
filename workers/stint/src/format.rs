//! Formats numbers for people.

use stint_core::points::Points;
use url::Url;

const MICROS_PER_CENT: u64 = 10_000;

/// Formats `1,234,567`.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats `1 rule`, `1,200 rules`.
pub(crate) fn count(amount: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(amount), if amount == 1 { one } else { many })
}

/// Formats `18,000` or `22.5`: rounded down to hundredths, so that never more is shown than there is.
pub(crate) fn points(points: Points) -> String {
    let hundredths = points.micros() / MICROS_PER_CENT;
    let whole = number(hundredths / 100);
    match hundredths % 100 {
        0 => whole,
        fraction => format!("{whole}.{}", format!("{fraction:02}").trim_end_matches('0')),
    }
}

/// Returns `url` without its user information, which may contain a password.
pub(crate) fn address(url: &Url) -> String {
    let mut shown = url.clone();
    // Both calls fail only for a URL without a host, which has no user information.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_user_information() {
        let shown = |url: &str| address(&url.parse().unwrap());
        assert_eq!(shown("https://me:planted@api.example:8443/v2?x=1"), "https://api.example:8443/v2?x=1");
        assert_eq!(shown("https://api.example/"), "https://api.example/");
    }

    #[test]
    fn thousands_are_set_apart() {
        let numbers = [0, 999, 1_000, 72_000, 1_234_567].map(number);
        assert_eq!(numbers, ["0", "999", "1,000", "72,000", "1,234,567"]);
        assert_eq!(count(1, "rule", "rules"), "1 rule");
        assert_eq!(count(0, "rule", "rules"), "0 rules");
    }

    #[test]
    fn points_are_rounded_down() {
        let points =
            [0, 18_000_000_000, 22_500_000, 24_999_999, 50_000].map(|micros| points(Points::from_micros(micros)));
        assert_eq!(points, ["0", "18,000", "22.5", "24.99", "0.05"]);
    }
}
