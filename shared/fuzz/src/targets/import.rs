//! An imported file: documents in extended JSON, as lines or as an array. The readers are the program's own source
//! files, with `anyhow` errors.

use std::io::BufReader;

use serde_json::Value;
use stint_warcraftlogs::model::Player;
use stint_warcraftlogs::store::{Discovered, Dropped, Rule};

#[path = "../../../../workers/stint/src/fleets/warcraftlogs/commands/data/documents.rs"]
mod documents;
#[path = "../../../../workers/stint/src/fleets/warcraftlogs/commands/data/extended.rs"]
mod extended;

use crate::upstream::first;

pub(crate) fn run(input: &[u8]) {
    let (capacity, file) = first(input);
    // A small buffer, so that documents span several reads.
    let mut documents = documents::Documents::new(BufReader::with_capacity(usize::from(capacity) + 1, file));
    let mut taken = 0;
    while let Ok(Some(documents::DocumentText { line, bytes })) = documents.next_document() {
        taken += bytes.len();
        assert!(taken <= file.len() && line >= 1, "{taken} of {} bytes, in line {line}", file.len());
        if let Ok(value) = serde_json::from_slice::<Value>(&bytes) {
            check(value);
        }
    }
}

fn check(value: Value) {
    let plain = match extended::plain(value) {
        Ok(plain) => plain,
        Err(reason) => return assert!(reason.starts_with("field "), "it names the field: {reason}"),
    };
    assert_eq!(extended::plain(plain.clone()).as_ref(), Ok(&plain), "what is plain stays as it is");
    if let Ok(player) = serde_json::from_value::<Player>(plain.clone()) {
        let again = serde_json::to_value(&player).expect("every player has a document");
        let again = extended::plain(again).expect("its dates are extended JSON");
        assert_eq!(serde_json::from_value::<Player>(again).ok(), Some(player));
    }
    if let Ok(rule) = serde_json::from_value::<Rule>(plain.clone()) {
        let again = serde_json::to_value(&rule).expect("every rule has a document");
        assert_eq!(serde_json::from_value::<Rule>(again).ok(), Some(rule));
    }
    // These must not panic.
    drop(serde_json::from_value::<Discovered>(plain.clone()));
    drop(serde_json::from_value::<Dropped>(plain));
}
