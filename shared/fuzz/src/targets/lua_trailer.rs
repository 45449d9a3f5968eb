//! The trailer of a Lua database: what can be read can be written, and survives the round trip.

use stint_warcraftlogs::lua::fuzzing::rewritten;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Some(once) = rewritten(text) else { return };
    let twice = rewritten(&once).expect("what was written can be read");
    assert_eq!(once, twice);
}
