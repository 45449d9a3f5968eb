//! A number that stands for everything the file has to give back about a player.
//!
//! The writer takes it from the player as it came, the verification from the record as it was read: a fault in any step
//! between shows, without the players being kept. It guards against our own mistakes, not against forgery.

/// The start value of a digest; any will do.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes one number into a digest (the finaliser of splitmix64).
pub(super) fn mix(digest: u64, number: u64) -> u64 {
    let mut mixed = (digest ^ number).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^= mixed >> 29;
    mixed = mixed.wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 32)
}

/// The digest of a text.
pub(super) fn text(text: &[u8]) -> u64 {
    text.chunks(8).fold(mix(SEED, text.len() as u64), |digest, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(digest, u64::from_le_bytes(word))
    })
}

/// The digest of a player without its raids; each [`section`] is mixed into it.
pub(super) fn player(server: u64, name: &[u8], class_id: u32, day: u32) -> u64 {
    mix(mix(mix(server, text(name)), u64::from(class_id)), u64::from(day))
}

/// The digest of a server's three names.
pub(super) fn server(server: &crate::model::Server) -> u64 {
    [&server.name, &server.slug, &server.normalized_name]
        .iter()
        .fold(SEED, |digest, name| mix(digest, text(name.as_bytes())))
}

/// The digest of one raid and difficulty; `cells` is the sum of its cells', because their order is the file's own.
pub(super) fn section(raid: u32, difficulty: u32, metric: &[u8], best: u16, median: u16, cells: u64) -> u64 {
    let head = mix(mix(text(metric), u64::from(raid) << 32 | u64::from(difficulty)), cells);
    mix(head, u64::from(best) << 16 | u64::from(median))
}

/// The digest of one encounter.
pub(super) fn cell(encounter: u32, tenths: u16, kills: u32, spec: u64) -> u64 {
    mix(mix(spec, u64::from(encounter) << 32 | u64::from(kills)), u64::from(tenths))
}
