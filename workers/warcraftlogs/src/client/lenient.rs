//! Values whose shape may differ from the schema: decoded as far as possible, so that they never make the whole
//! response undecodable.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A type that can be decoded from any JSON value. A shape that the type does not handle becomes its default.
pub(super) trait Lenient<'de>: Default {
    fn of_null() -> Self {
        Self::default()
    }

    fn of_number(_: f64) -> Self {
        Self::default()
    }

    fn of_text(_: &str) -> Self {
        Self::default()
    }

    /// From a text that outlives the response's decoding.
    fn of_borrowed_text(text: &'de str) -> Self {
        Self::of_text(text)
    }

    fn of_list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        skip_list(list)?;
        Ok(Self::default())
    }

    fn of_object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

/// Decodes any value.
pub(super) fn read<'de, T: Lenient<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(AnyShape(PhantomData))
}

fn skip_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<(), A::Error> {
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

struct AnyShape<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for AnyShape<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::of_null())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Ok(T::of_number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Ok(T::of_number(number as f64))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Ok(T::of_number(number as f64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::of_text(text))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<T, E> {
        Ok(T::of_borrowed_text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::of_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::of_object(members)
    }
}

/// A number, or a text such as `"2398"`. Null, a dash and other shapes are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Number(pub(super) Option<f64>);

impl Number {
    /// As a percentile; `None` outside 0 to 100.
    pub(super) fn percent(self) -> Option<f64> {
        self.0.filter(|percent| (0.0..=100.0).contains(percent))
    }

    /// As a whole number that is not negative, such as `3600.0`.
    pub(super) fn whole(self) -> Option<u64> {
        let exact = |number: &f64| number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(number);
        self.0.filter(exact).map(|number| number as u64)
    }
}

impl Lenient<'_> for Number {
    fn of_number(number: f64) -> Number {
        Number(Some(number))
    }

    fn of_text(text: &str) -> Number {
        Number(text.trim().parse().ok().filter(|number: &f64| number.is_finite()))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        read(deserializer)
    }
}

/// A text. Null and other shapes are `None`. It is not copied out of the response: of most texts nothing is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text<'a>(pub(super) Option<Cow<'a, str>>);

impl Text<'_> {
    /// A copy of the text.
    pub(super) fn into_owned(self) -> Option<String> {
        self.0.map(Cow::into_owned)
    }
}

impl<'de: 'a, 'a> Lenient<'de> for Text<'a> {
    fn of_text(text: &str) -> Text<'a> {
        Text(Some(Cow::Owned(text.to_owned())))
    }

    fn of_borrowed_text(text: &'de str) -> Text<'a> {
        Text(Some(Cow::Borrowed(text)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        read(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_decodes() {
        let numbers: Vec<Number> =
            serde_json::from_str(r#"[3600.0, "2398", -1, "-", null, true, [1], {"a":1}]"#).unwrap();
        let expected = [Some(3600.0), Some(2398.0), Some(-1.0), None, None, None, None, None];
        assert_eq!(numbers, expected.map(Number));
        assert_eq!(numbers.iter().filter_map(|number| number.whole()).collect::<Vec<_>>(), [3600, 2398]);
        let texts: Vec<Text> = serde_json::from_str(r#"["Fire", null, 7, {}]"#).unwrap();
        assert_eq!(texts, [Some(Cow::Borrowed("Fire")), None, None, None].map(Text));
        let escaped: Text = serde_json::from_str(r#""F\u0069re""#).unwrap();
        assert_eq!(escaped.into_owned().as_deref(), Some("Fire"));
    }
}
