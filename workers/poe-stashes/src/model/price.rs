//! Prices. The upstream has no field for them: players write them into an item's note, or into the name of its tab.

use std::fmt;

/// The price that a player asks for an item.
#[derive(Clone, Debug, PartialEq)]
pub enum AskingPrice<'a> {
    /// An amount of a currency.
    Price(Price<'a>),
    /// An exchange ratio, `~price 1/3 offer`: the currency is not given.
    Exchange(Amount),
}

/// An amount of a currency.
#[derive(Clone, Debug, PartialEq)]
pub struct Price<'a> {
    /// Whether it is fixed (`~price`) or negotiable (`~b/o`, "buy out").
    pub kind: PriceKind,
    /// How much.
    pub amount: Amount,
    /// The currency as the player wrote it: an open set, such as `chaos`, `divine`, `exa`.
    pub currency: &'a str,
}

/// The kind of a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceKind {
    /// `~price`: exactly this.
    Fixed,
    /// `~b/o`: for this at once, or for less after negotiation.
    BuyOut,
}

impl PriceKind {
    /// The word before the amount, without its tilde.
    pub fn name(self) -> &'static str {
        match self {
            PriceKind::Fixed => "price",
            PriceKind::BuyOut => "b/o",
        }
    }
}

/// A positive amount, as a fraction: a bulk price of `1/3` means one for three.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Amount {
    /// The numerator.
    pub numerator: f64,
    /// The denominator; 1 if there is none.
    pub denominator: f64,
}

impl Amount {
    /// Returns the amount for one item.
    pub fn each(self) -> f64 {
        self.numerator / self.denominator
    }

    fn read(text: &str) -> Option<Amount> {
        let (numerator, denominator) = match text.split_once('/') {
            Some((numerator, denominator)) => (number(numerator)?, number(denominator)?),
            None => (number(text)?, 1.0),
        };
        Some(Amount { numerator, denominator })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            1.0 => write!(formatter, "{}", self.numerator),
            denominator => write!(formatter, "{}/{denominator}", self.numerator),
        }
    }
}

/// Parses digits with at most one point; players write neither signs nor exponents. A price of 0 is invalid.
fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|number: &f64| plain && number.is_finite() && *number > 0.0)
}

/// Returns the price in a note, or in the name of a tab. `None` if it is not a price.
pub fn read(note: &str) -> Option<AskingPrice<'_>> {
    let note = note.trim();
    let (kind, rest) = [("~price ", PriceKind::Fixed), ("~b/o ", PriceKind::BuyOut)]
        .iter()
        .find_map(|(word, kind)| Some((*kind, note.strip_prefix(word)?)))?;
    let (amount, currency) = rest.trim_start().split_once(' ')?;
    let (amount, currency) = (Amount::read(amount)?, currency.trim());
    match currency {
        "" => None,
        "offer" => Some(AskingPrice::Exchange(amount)),
        _ => Some(AskingPrice::Price(Price { kind, amount, currency })),
    }
}

/// Returns the price of an item with `note` in the tab `tab`. The note takes precedence; a note such as `~skip` means
/// that the tab's price does not apply. A note without a tilde is a remark, and the tab's price applies.
pub fn asking_price<'a>(note: Option<&'a str>, tab: Option<&'a str>) -> Option<AskingPrice<'a>> {
    match note.filter(|note| note.trim_start().starts_with('~')) {
        Some(note) => read(note),
        None => read(tab?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(kind: PriceKind, numerator: f64, denominator: f64, currency: &str) -> Option<AskingPrice<'_>> {
        Some(AskingPrice::Price(Price { kind, amount: Amount { numerator, denominator }, currency }))
    }

    #[test]
    fn prices_are_read() {
        assert_eq!(read("~price 1 exalted"), price(PriceKind::Fixed, 1.0, 1.0, "exalted"));
        assert_eq!(read("~b/o 2.5 chaos"), price(PriceKind::BuyOut, 2.5, 1.0, "chaos"));
        assert_eq!(read(" ~price  .5  divine "), price(PriceKind::Fixed, 0.5, 1.0, "divine"));
        let bulk = read("~b/o 10/3 chaos");
        assert_eq!(bulk, price(PriceKind::BuyOut, 10.0, 3.0, "chaos"));
        let Some(AskingPrice::Price(bulk)) = bulk else { panic!("{bulk:?}") };
        assert!((bulk.amount.each() - 10.0 / 3.0).abs() < 1e-12);
        assert_eq!(bulk.amount.to_string(), "10/3");
    }

    #[test]
    fn an_offer_is_an_exchange_and_no_price() {
        let third = Amount { numerator: 1.0, denominator: 3.0 };
        assert_eq!(read("~price 1/3 offer"), Some(AskingPrice::Exchange(third)));
    }

    #[test]
    fn other_notes_have_no_price() {
        for note in [
            "",
            "$",
            "price 1 chaos",
            "~price",
            "~price 1",
            "~price 1 ",
            "~price chaos",
            "~price -1 chaos",
            "~price 0 chaos",
            "~price 1/0 chaos",
            "~price 1e9 chaos",
            "~price NaN chaos",
            "~price 1/2/3 chaos",
            "~skip",
            "~gb/o 1 chaos",
        ] {
            assert_eq!(read(note), None, "{note}");
        }
    }

    #[test]
    fn the_note_wins_over_the_tabs_name() {
        let (one, two) = (Some("~price 1 chaos"), Some("~b/o 2 exa"));
        assert_eq!(asking_price(one, two), price(PriceKind::Fixed, 1.0, 1.0, "chaos"));
        assert_eq!(asking_price(None, two), price(PriceKind::BuyOut, 2.0, 1.0, "exa"));
        assert_eq!(asking_price(Some("for my guild"), two), price(PriceKind::BuyOut, 2.0, 1.0, "exa"));
        assert_eq!(asking_price(Some("~skip"), two), None);
        assert_eq!(asking_price(None, None), None);
    }
}
