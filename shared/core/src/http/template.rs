//! The path of a route, parsed.

use std::borrow::Cow;

/// The parsed path of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Segment>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segment {
    Literal(&'static str),
    Param(&'static str),
}

impl Template {
    /// Parses a path, or returns what is wrong with it.
    pub(super) fn parse(path: &'static str) -> Result<Template, String> {
        let below = path.strip_prefix('/').ok_or("a path starts with a slash")?;
        if below.is_empty() {
            return Ok(Template(Vec::new()));
        }
        let mut segments: Vec<Segment> = Vec::new();
        for text in below.split('/') {
            let segment = Segment::parse(text)?;
            if matches!(segment, Segment::Param(_)) && segments.contains(&segment) {
                return Err(format!("{text} occurs twice"));
            }
            segments.push(segment);
        }
        Ok(Template(segments))
    }

    /// Returns how many segments are in braces.
    pub(super) fn param_count(&self) -> usize {
        self.params().count()
    }

    /// Returns the names in braces, in order.
    pub(super) fn params(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().filter_map(|segment| match segment {
            Segment::Param(name) => Some(*name),
            Segment::Literal(_) => None,
        })
    }

    /// Returns whether a path matches.
    pub(super) fn matches(&self, path: &[Cow<'_, str>]) -> bool {
        self.0.len() == path.len() && self.0.iter().zip(path).all(|(segment, text)| segment.matches(text))
    }

    /// Returns the values of the segments in braces of a path that matches.
    pub(super) fn values(&self, path: &[Cow<'_, str>]) -> Vec<(&'static str, String)> {
        let value = |(segment, text): (&Segment, &Cow<'_, str>)| match segment {
            Segment::Param(name) => Some((*name, text.clone().into_owned())),
            Segment::Literal(_) => None,
        };
        self.0.iter().zip(path).filter_map(value).collect()
    }

    /// Returns whether both match exactly the same paths.
    pub(super) fn is_same_as(&self, other: &Template) -> bool {
        let is_same = |(one, two): (&Segment, &Segment)| one.is_literal() == two.is_literal() && one.overlaps(*two);
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(is_same)
    }

    /// Returns a path that both match although neither is the more special one: `/{a}/b` and `/c/{d}` both match `/c/b`.
    pub(super) fn ambiguous_path(&self, other: &Template) -> Option<String> {
        let pairs = || self.0.iter().zip(&other.0);
        let overlap = self.0.len() == other.0.len() && pairs().all(|(one, two)| one.overlaps(*two));
        let more_special = pairs().any(|(one, two)| one.is_literal() && !two.is_literal());
        let less_special = pairs().any(|(one, two)| !one.is_literal() && two.is_literal());
        let example = |(one, two): (&Segment, &Segment)| format!("/{}", one.literal().or(two.literal()).unwrap_or("x"));
        (overlap && more_special && less_special).then(|| pairs().map(example).collect())
    }
}

impl Segment {
    fn parse(text: &'static str) -> Result<Segment, String> {
        let is_plain = |char: char| char.is_ascii_alphanumeric() || "-._~".contains(char);
        let is_name = |name: &str| {
            let is_letter = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
            name.starts_with(|first: char| first.is_ascii_lowercase()) && name.chars().all(is_letter)
        };
        match text.strip_prefix('{').map(|rest| rest.strip_suffix('}').unwrap_or_default()) {
            Some(name) if is_name(name) => Ok(Segment::Param(name)),
            Some(_) => Err(format!("{text} is not a name in braces; a name has small letters, digits and _")),
            None if text.is_empty() => Err("a segment is empty".to_owned()),
            None if text.chars().all(is_plain) => Ok(Segment::Literal(text)),
            None => Err(format!("{text} has characters other than letters, digits and - . _ ~")),
        }
    }

    fn is_literal(self) -> bool {
        self.literal().is_some()
    }

    fn literal(self) -> Option<&'static str> {
        match self {
            Segment::Literal(text) => Some(text),
            Segment::Param(_) => None,
        }
    }

    fn matches(self, text: &str) -> bool {
        match self {
            Segment::Literal(literal) => literal == text,
            Segment::Param(_) => !text.is_empty(),
        }
    }

    fn overlaps(self, other: Segment) -> bool {
        self.literal().zip(other.literal()).is_none_or(|(one, two)| one == two)
    }
}
