//! The message of the fleet's two queues: one player, and what to fetch of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{PlayerId, RaidsToScrap};
use crate::player_ref::{PlayerName, PlayerRef};
use crate::store::Discovered;

/// The queue between the aggregator and the rank fetcher.
pub const QUEUE: &str = "wcl-discovered-players";

/// The queue of players that a person wants fetched ahead of the backlog.
pub const REFRESH_QUEUE: &str = "wcl-refresh-players";

/// A player to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayerMessage {
    /// The player.
    pub player_ref: PlayerRef,
    /// Raids and difficulties.
    pub raids_to_scrap: RaidsToScrap,
}

/// A message that may have been sent before, in another form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) message: PlayerMessage,
    /// When it was first sent, if it was sent again.
    pub(crate) queued_at: Option<Timestamp>,
    /// How the player was first requested, if the upstream knows it under another id: a person may wait for that
    /// player.
    pub(crate) asked_as: Option<PlayerRef>,
}

/// The message as it is sent: `{"id": 57147396, "raidsToScrap": {"26": [3, 5]}}`, or with `name`, `server` (its slug)
/// and `region` instead of an id. A message that was parked has `queuedAt` too, since its queue counts it as newly
/// sent. The message for the rest of a player who turned out to have another id has `askedAs`: the `id`, or the name,
/// of the message before.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<PlayerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// The original deployment calls the field `raids`.
    #[serde(alias = "raids")]
    raids_to_scrap: RaidsToScrap,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queued_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked_as: Option<AskedAs>,
}

#[derive(Default, Serialize, Deserialize)]
struct AskedAs {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<PlayerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
}

impl PlayerMessage {
    /// The message as it is sent.
    pub fn to_body(&self) -> String {
        Sent { message: self.clone(), queued_at: None, asked_as: None }.to_body()
    }

    /// Decodes a body. The error names the field.
    pub fn from_body(body: &str) -> Result<PlayerMessage, String> {
        Sent::read(body).map(|sent| sent.message)
    }
}

impl Sent {
    /// The message as it is sent again.
    pub(crate) fn to_body(&self) -> String {
        let Sent { message: PlayerMessage { player_ref, raids_to_scrap }, queued_at, asked_as } = self;
        let AskedAs { id, name, server, region } = AskedAs::from(player_ref);
        let (raids_to_scrap, asked_as) = (raids_to_scrap.clone(), asked_as.as_ref().map(AskedAs::from));
        let body = Body { id, name, server, region, raids_to_scrap, queued_at: *queued_at, asked_as };
        // Texts and integers always have a JSON form; an empty body would be refused by every queue.
        serde_json::to_string(&body).unwrap_or_default()
    }

    /// Decodes a body. The error names the field.
    pub(crate) fn read(body: &str) -> Result<Sent, String> {
        let body: Body = serde_json::from_str(body).map_err(|error| what_is_wrong(body, &error))?;
        let Body { id, name, server, region, raids_to_scrap, queued_at, asked_as } = body;
        let player_ref = AskedAs { id, name, server, region }.player_ref()?;
        let asked_as = asked_as.map(|asked_as| asked_as.player_ref()).transpose();
        let asked_as = asked_as.map_err(|reason| format!("field askedAs: {reason}"))?;
        if raids_to_scrap.is_empty() {
            return Err("field raidsToScrap: names no raid and difficulty".into());
        }
        Ok(Sent { message: PlayerMessage { player_ref, raids_to_scrap }, queued_at, asked_as })
    }
}

/// Decodes an undecodable body once more to find the field: tracking the field takes extra time.
fn what_is_wrong(body: &str, error: &serde_json::Error) -> String {
    let mut reader = serde_json::Deserializer::from_str(body);
    match serde_path_to_error::deserialize::<_, Body>(&mut reader) {
        Ok(_) => format!("the message: {error}"),
        Err(error) => {
            let path = error.path().to_string();
            let field = if path == "." { "the message".to_owned() } else { format!("field {path}") };
            format!("{field}: {}", error.into_inner())
        }
    }
}

impl AskedAs {
    fn player_ref(self) -> Result<PlayerRef, String> {
        match self {
            AskedAs { id: Some(id), name: None, server: None, region: None } => PlayerRef::by_id(id),
            AskedAs { id: None, name: Some(name), server: Some(server), region: Some(region) } => {
                PlayerName::new(&name, &server, &region).map(PlayerRef::Named)
            }
            AskedAs { id: Some(_), .. } => Err("field id: with an id there is no name, server and region".into()),
            _ => Err("the message names no player; it needs an id, or name, server and region".into()),
        }
    }
}

impl From<&PlayerRef> for AskedAs {
    fn from(player_ref: &PlayerRef) -> AskedAs {
        match player_ref {
            PlayerRef::Id(id) => AskedAs { id: Some(*id), ..AskedAs::default() },
            PlayerRef::Named(named) => AskedAs {
                id: None,
                name: Some(named.name().to_owned()),
                server: Some(named.server().to_owned()),
                region: Some(named.region().to_owned()),
            },
        }
    }
}

impl From<&Discovered> for PlayerMessage {
    fn from(discovered: &Discovered) -> PlayerMessage {
        PlayerMessage { player_ref: PlayerRef::Id(discovered.id), raids_to_scrap: discovered.raids_to_scrap.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_the_raids_are_read_and_the_documented_one_is_written() {
        let documented = r#"{"id":57147396,"raidsToScrap":{"26":[3,5]}}"#;
        let message = PlayerMessage::from_body(documented).unwrap();
        assert_eq!(PlayerMessage::from_body(r#"{"id":57147396,"raids":{"26":[3,5]}}"#).unwrap(), message);
        assert_eq!(message.to_body(), documented);
    }

    #[test]
    fn a_player_by_name_is_read_and_written() {
        let body = r#"{"name":"Ånn","server":"tarren-mill","region":"EU","raidsToScrap":{"26":[3]}}"#;
        let message = PlayerMessage::from_body(body).unwrap();
        assert_eq!(message.player_ref, PlayerRef::Named(PlayerName::new("Ånn", "tarren-mill", "EU").unwrap()));
        assert_eq!(message.to_body(), body);
    }

    #[test]
    fn what_is_left_of_a_player_says_how_it_was_asked_for() {
        let by_name = r#"{"id":7,"raidsToScrap":{"26":[3]},"askedAs":{"name":"Ånn","server":"kazzak","region":"EU"}}"#;
        let by_id = r#"{"id":7,"raidsToScrap":{"26":[3]},"queuedAt":"1970-01-01T00:00:01Z","askedAs":{"id":8}}"#;
        for body in [by_name, by_id] {
            assert_eq!(Sent::read(body).unwrap().to_body(), body);
        }
        assert_eq!(Sent::read(by_id).unwrap().asked_as, Some(PlayerRef::Id(8)));
        let error = Sent::read(r#"{"id":7,"raids":{"26":[3]},"askedAs":{}}"#).unwrap_err();
        assert!(error.starts_with("field askedAs: "), "{error}");
    }

    #[test]
    fn an_error_names_the_field() {
        for (body, expected) in [
            ("", "the message"),
            ("{}", "missing field `raidsToScrap`"),
            (r#"{"raids":{"26":[3]}}"#, "the message names no player"),
            (r#"{"name":"Ånn","raids":{"26":[3]}}"#, "the message names no player"),
            (r#"{"id":7,"name":"Ånn","raids":{"26":[3]}}"#, "field id: with an id there is no name"),
            (r#"{"name":"Ånn","server":"kazzak","region":"Mars","raids":{"26":[3]}}"#, "field region"),
            (r#"{"id":1,"raids":{"twenty":[3]}}"#, "raids"),
            (r#"{"id":1,"raids":{"26":3}}"#, "field raids.26"),
            (r#"{"id":-1,"raids":{"26":[3]}}"#, "field id"),
            (r#"{"id":0,"raids":{"26":[3]}}"#, "field id"),
            (r#"{"id":1,"raids":{"26":[]}}"#, "raidsToScrap"),
            (r#"{"id":1,"raids":{"26":[3]}} x"#, "trailing"),
        ] {
            let error = PlayerMessage::from_body(body).unwrap_err();
            assert!(error.contains(expected), "{body}: {error}");
        }
    }
}
