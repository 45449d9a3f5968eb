//! Every message of every worker, and the reasons with which invalid ones are refused.

use stint_poe_stashes::message::{ContinueChain, StoredPage, message};
use stint_warcraftlogs::message::PlayerMessage;

/// The most times that a reason quotes the message.
const MOST_QUOTES: usize = 3;

pub(crate) fn run(input: &[u8]) {
    let Ok(body) = std::str::from_utf8(input) else { return };
    match PlayerMessage::from_body(body) {
        Ok(player) => {
            let sent = player.to_body();
            assert_eq!(PlayerMessage::from_body(&sent), Ok(player), "written as {sent}");
        }
        Err(reason) => {
            assert!(reason.starts_with("field ") || reason.starts_with("the message"), "it names the field: {reason}");
            assert!(reason.len() <= MOST_QUOTES * body.len() + 300, "{} bytes of reason", reason.len());
        }
    }
    if let Ok(sent) = serde_json::from_str::<ContinueChain>(body) {
        assert_eq!(serde_json::from_str::<ContinueChain>(&message(&sent).body).ok(), Some(sent));
    }
    if let Ok(stored) = serde_json::from_str::<StoredPage>(body) {
        assert_eq!(serde_json::from_str::<StoredPage>(&message(&stored).body).ok(), Some(stored));
    }
}
