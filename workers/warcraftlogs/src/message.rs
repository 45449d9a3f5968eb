//! The message of the queue `wcl-discovered-players`: one player, and what to fetch of it.

use serde::{Deserialize, Serialize};

use crate::model::{PlayerId, RaidsToScrap};
use crate::store::Discovered;

/// The queue between the aggregator and the rank fetcher.
pub const QUEUE: &str = "wcl-discovered-players";

/// A player to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlayerMessage {
    /// The upstream's id.
    pub id: PlayerId,
    /// Raids and difficulties. The original deployment calls the field `raids`.
    #[serde(alias = "raids")]
    pub raids_to_scrap: RaidsToScrap,
}

impl PlayerMessage {
    /// The message as it is sent.
    pub fn to_body(&self) -> String {
        // A map of integers to integers always has a JSON form; an empty body would be refused by every queue.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a body, and says what is wrong with it by the field's name.
    pub fn from_body(body: &str) -> Result<PlayerMessage, String> {
        let mut reader = serde_json::Deserializer::from_str(body);
        let message: PlayerMessage = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            let field = if path == "." { "the message".to_owned() } else { format!("field {path}") };
            format!("{field}: {}", error.into_inner())
        })?;
        reader.end().map_err(|error| format!("the message: {error}"))?;
        if message.id == 0 || message.id > i32::MAX as u64 {
            return Err(format!("field id: {} is not a player's id (1 to {})", message.id, i32::MAX));
        }
        if message.raids_to_scrap.is_empty() {
            return Err("field raidsToScrap: names no raid and difficulty".into());
        }
        Ok(message)
    }
}

impl From<&Discovered> for PlayerMessage {
    fn from(discovered: &Discovered) -> PlayerMessage {
        PlayerMessage { id: discovered.id, raids_to_scrap: discovered.raids_to_scrap.clone() }
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
    fn what_is_wrong_is_said_by_name() {
        for (body, expected) in [
            ("", "the message"),
            ("{}", "missing field `id`"),
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
