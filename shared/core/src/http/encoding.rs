//! Percent-encoding of paths and queries.

use std::borrow::Cow;

use super::Fields;

/// The segments of a request's path, decoded. `/` has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathSegments<'p>(Vec<Cow<'p, str>>);

impl<'p> PathSegments<'p> {
    /// Splits a percent-encoded path, as a request has it, so that a segment may contain an encoded slash. Returns `None` if
    /// the path does not start with a slash, or if an escape is malformed or is not UTF-8.
    pub fn of_encoded(path: &'p str) -> Option<PathSegments<'p>> {
        PathSegments::split(path, |segment| percent_decode(segment, false))
    }

    /// Splits a path that is decoded already.
    pub fn of_decoded(path: &'p str) -> Option<PathSegments<'p>> {
        PathSegments::split(path, |segment| Some(Cow::Borrowed(segment)))
    }

    fn split(path: &'p str, decode: impl Fn(&'p str) -> Option<Cow<'p, str>>) -> Option<PathSegments<'p>> {
        let below = path.strip_prefix('/')?;
        if below.is_empty() {
            return Some(PathSegments(Vec::new()));
        }
        below.split('/').map(decode).collect::<Option<_>>().map(PathSegments)
    }

    /// Returns the segments in order.
    pub fn as_slice(&self) -> &[Cow<'p, str>] {
        &self.0
    }
}

/// Decodes a query, `a=1&a=2&b`. A name without a value has an empty one. Malformed escapes are kept as they are, as
/// browsers do.
pub fn decode_query(query: &str) -> Fields {
    let decode = |text: &str| percent_decode(text, true).map_or_else(|| text.to_owned(), Cow::into_owned);
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(name), decode(value))
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

/// Returns `None` if an escape is malformed or if the result is not UTF-8.
fn percent_decode(text: &str, plus_is_space: bool) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| byte == b'%' || (plus_is_space && byte == b'+')) {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_slash_does_not_split_a_segment() {
        let segments = |path| PathSegments::of_encoded(path).map(|segments| segments.0.join("|"));
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(segments("/players/%C3%85nn%2Fa"), text("players|Ånn/a"));
        assert_eq!([segments("/"), segments("/a/"), segments("//")], [text(""), text("a|"), text("|")]);
        assert_eq!(segments("/a+b"), text("a+b"), "a plus is a plus in a path");
        for malformed in ["", "a", "/%", "/%4", "/%zz", "/%ff", "*"] {
            assert_eq!(segments(malformed), None, "{malformed}");
        }
        let decoded = PathSegments::of_decoded("/100%/%41").map(|segments| segments.0.join("|"));
        assert_eq!(decoded, text("100%|%41"));
    }

    #[test]
    fn a_query_keeps_repeated_and_empty_values() {
        let query = decode_query("raid=26&raid=27&name=%C3%85nn+B&flag&&empty=&bad=%zz");
        let expected = [("raid", "26"), ("raid", "27"), ("name", "Ånn B"), ("flag", ""), ("empty", ""), ("bad", "%zz")];
        assert_eq!(query.iter().collect::<Vec<_>>(), expected);
        assert_eq!(decode_query(""), Fields::default());
    }
}
