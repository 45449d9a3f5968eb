//! The player that a message, a request or a response is about: by id, or by name where no id is known yet.

use std::fmt;

use crate::model::PlayerId;

/// The upstream's regions, as written in its documents and in Stint's.
pub const REGIONS: [&str; 5] = ["US", "EU", "KR", "TW", "CN"];

/// The largest id: the upstream's ids are GraphQL integers.
const LARGEST_ID: PlayerId = i32::MAX as PlayerId;

/// Longest name or slug, in characters. The game's own names have at most 12; the limit only keeps nonsense out of
/// requests.
const LONGEST: usize = 64;

/// One player, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlayerRef {
    /// By the upstream's id.
    Id(PlayerId),
    /// By name.
    Named(PlayerName),
}

/// A player by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlayerName {
    name: String,
    server: String,
    region: &'static str,
}

impl PlayerRef {
    /// A player by id, if the number can be an id. The error names the field.
    pub fn by_id(id: PlayerId) -> Result<PlayerRef, String> {
        check_id(id).map(|()| PlayerRef::Id(id)).map_err(|reason| format!("field id: {reason}"))
    }

    /// The id, if it is known.
    pub fn id(&self) -> Option<PlayerId> {
        match self {
            PlayerRef::Id(id) => Some(*id),
            PlayerRef::Named(_) => None,
        }
    }
}

impl PlayerName {
    /// The player `name` on the server with this slug in this region, in any case. The error names the field.
    pub fn new(name: &str, server: &str, region: &str) -> Result<PlayerName, String> {
        let name = plain("name", name)?.to_owned();
        let server = plain("server", server)?.to_lowercase();
        if server.contains(char::is_whitespace) {
            return Err(format!("field server: '{server}' is no slug; a slug has dashes, as in tarren-mill"));
        }
        Ok(PlayerName {
            name,
            server,
            region: parse_region(region).map_err(|reason| format!("field region: {reason}"))?,
        })
    }

    /// The character's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's slug.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// `US`, `EU`, `KR`, `TW` or `CN`.
    pub fn region(&self) -> &'static str {
        self.region
    }
}

/// Checks that a number can be a player's id. The error contains the number.
pub fn check_id(id: PlayerId) -> Result<(), String> {
    if id == 0 || id > LARGEST_ID {
        return Err(format!("{id} is not a player's id (1 to {LARGEST_ID})"));
    }
    Ok(())
}

/// One of [`REGIONS`], in any case.
pub fn parse_region(text: &str) -> Result<&'static str, String> {
    let known = REGIONS.into_iter().find(|region| region.eq_ignore_ascii_case(text.trim()));
    known.ok_or_else(|| format!("there is no such region; there are {}", REGIONS.join(", ")))
}

/// The text without surrounding whitespace, if it can be put into a request: no name has a control character.
fn plain<'a>(field: &str, text: &'a str) -> Result<&'a str, String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(format!("field {field}: it is empty")),
        length if length > LONGEST => Err(format!("field {field}: it has {length} letters, at most {LONGEST}")),
        _ if text.contains(char::is_control) => Err(format!("field {field}: it has a control character")),
        _ => Ok(text),
    }
}

impl fmt::Display for PlayerRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlayerRef::Id(id) => write!(formatter, "player {id}"),
            PlayerRef::Named(named) => named.fmt(formatter),
        }
    }
}

impl fmt::Display for PlayerName {
    /// `Ånn of tarren-mill (EU)`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {} ({})", self.name, self.server, self.region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_and_slugs_are_read_in_any_case() {
        let named = PlayerName::new(" Ånn ", "Tarren-Mill", "eu").unwrap();
        assert_eq!(named.to_string(), "Ånn of tarren-mill (EU)");
        assert_eq!(PlayerName::new("하나", "azshara", "KR").unwrap().name(), "하나");
    }

    #[test]
    fn an_error_names_the_field() {
        let long = "a".repeat(65);
        for (name, server, region, expected) in [
            ("", "kazzak", "EU", "field name: it is empty"),
            ("A\nb", "kazzak", "EU", "field name: it has a control character"),
            ("A\u{7f}", "kazzak", "EU", "field name: it has a control character"),
            (long.as_str(), "kazzak", "EU", "field name: it has 65 letters"),
            ("Ånn", " ", "EU", "field server: it is empty"),
            ("Ånn", "Tarren Mill", "EU", "field server: 'tarren mill' is no slug"),
            ("Ånn", "kazzak", "Mars", "field region: there is no such region; there are US, EU"),
        ] {
            let error = PlayerName::new(name, server, region).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(PlayerRef::by_id(0).is_err() && PlayerRef::by_id(1 << 31).is_err() && PlayerRef::by_id(7).is_ok());
    }
}
