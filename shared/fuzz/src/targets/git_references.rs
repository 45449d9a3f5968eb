//! The reference list of a git server: only the branch and tags are passed on, and parsing the result gives the same
//! list.

use stint_warcraftlogs::publish::fuzzing::{next_version, references};

use crate::upstream::first;

pub(crate) fn run(input: &[u8]) {
    let (parts, stream) = first(input);
    let parts = u32::from(parts % 3);
    if let Ok(list) = references(stream, parts, "refs/heads/main") {
        // Each line keeps its bytes, or takes over the capabilities of a removed line; one line may be added by us.
        assert!(list.len() <= stream.len() * 2 + 100, "{} bytes of {}", list.len(), stream.len());
        assert_eq!(references(&list, parts, "refs/heads/main").ok().as_ref(), Some(&list));
    }
    let Ok(text) = std::str::from_utf8(stream) else { return };
    if let Some(next) = next_version(text) {
        assert_ne!(next, text, "versions rise");
        // Versions end with the year 2999.
        assert!(next_version(&next).is_some() || next == "v3000.01.01-1", "{next} has one after it");
    }
}
