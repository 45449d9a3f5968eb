//! A whole file of a Lua database. It may be of another version, truncated, or not a database at all.

use std::path::PathBuf;
use std::sync::OnceLock;

use stint_warcraftlogs::lua::read_back;

pub(crate) fn run(input: &[u8]) {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a folder for one file"));
    let last: PathBuf = folder.path().join("Stint_EU.lua");
    std::fs::write(&last, input).expect("the file can be written");
    let mut records = 0;
    for found in read_back(&last) {
        records += 1;
        assert!(records <= input.len() + 1, "more records than bytes");
        if let Ok(found) = found {
            serde_json::to_string(&found).expect("every player can be shown");
        }
    }
}
