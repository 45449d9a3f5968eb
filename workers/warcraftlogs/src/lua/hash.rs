//! Selects the bucket of a server in which to look for a player.

/// Average number of players in a bucket. More make directories smaller and searches longer; between 16 and 48 it
/// matters little.
pub(crate) const BUCKET: usize = 24;

/// Keeps the sum below 2^38: Lua divides such numbers by a number of buckets without rounding errors.
const FACTOR: u64 = 31;

/// Number of buckets for a server with this many players.
pub(crate) fn buckets(players: usize) -> usize {
    players.div_ceil(BUCKET).max(1)
}

/// The bucket of a name among `buckets`. It depends only on the first three bytes, the last three bytes and the length
/// of the name, because a reader in Lua pays for each byte.
pub(crate) fn bucket(name: &[u8], buckets: usize) -> usize {
    let first = |place: usize| name.get(place).copied().map_or(0, u64::from);
    let tail = &name[name.len().saturating_sub(3)..];
    let last = |place: usize| tail.get(place).copied().map_or(0, u64::from);
    let bytes = [first(0), first(1), first(2), last(0), last(1), last(2), name.len() as u64];
    (bytes.iter().fold(0, |sum, byte| sum * FACTOR + byte) % buckets as u64) as usize
}
