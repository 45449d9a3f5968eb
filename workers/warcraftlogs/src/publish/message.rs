//! The message of a commit: what changed, for people; and Stint's version line, for the next publication.

use git2::Commit;

use super::changes::{Difference, RegionChange};
use super::version::Version;

/// Begins the last line of each of Stint's commits.
const VERSION_LINE: &str = "Stint-Version: ";

/// The message of a publication of these regions; `core` tells whether the core's files changed too.
pub(super) fn message(version: Version, regions: &[RegionChange], core: bool) -> String {
    let players: u64 = regions.iter().map(|region| region.players).sum();
    let names: Vec<&str> = regions.iter().map(|region| region.region.as_str()).collect();
    let mut text = match regions.is_empty() {
        true => format!("databases {version}: core only\n\n"),
        false => format!("databases {version}: {} of {}\n\n", players_of(players), names.join(", ")),
    };
    for region in regions {
        text.push_str(&line(region));
    }
    if core {
        text.push_str("The core's files changed.\n");
    }
    format!("{text}\n{VERSION_LINE}{version}\n")
}

/// The version that a commit published, if Stint made it.
pub(super) fn published_by(commit: &Commit<'_>) -> Option<Version> {
    let message = commit.message().ok()?;
    message.lines().rev().find_map(|line| line.strip_prefix(VERSION_LINE)?.parse().ok())
}

fn line(change: &RegionChange) -> String {
    let mut parts = vec![format!("{}: {}", change.region, players_of(change.players))];
    if let Some(Difference { added, removed, changed }) = change.difference {
        parts.push(format!("{} added", grouped(added)));
        parts.push(format!("{} removed", grouped(removed)));
        parts.push(format!("{} changed", grouped(changed)));
    }
    parts.push(match change.bytes_before {
        Some(before) => format!("{} bytes, {} before", grouped(change.bytes), grouped(before)),
        None => format!("{} bytes", grouped(change.bytes)),
    });
    match (change.oldest, change.newest) {
        (Some(oldest), Some(newest)) if oldest == newest => parts.push(format!("data of {newest}")),
        (Some(oldest), Some(newest)) => parts.push(format!("data of {oldest} to {newest}")),
        _ => {}
    }
    format!("{}\n", parts.join(", "))
}

fn players_of(players: u64) -> String {
    if players == 1 { "1 player".to_owned() } else { format!("{} players", grouped(players)) }
}

/// `1,204,311`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let head = digits.len() % 3;
    let mut text = digits[..head].to_owned();
    for start in (head..digits.len()).step_by(3) {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&digits[start..start + 3]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_added_and_removed_players() {
        let change = RegionChange {
            region: "EU".to_owned(),
            players: 342_053,
            bytes: 18_512_345,
            bytes_before: Some(999),
            difference: Some(Difference { added: 1_204, removed: 12, changed: 0 }),
            oldest: Some("2026-11-20".parse().unwrap()),
            newest: Some("2026-11-28".parse().unwrap()),
        };
        let first = RegionChange {
            region: "KR".to_owned(),
            players: 1,
            bytes: 1_000,
            bytes_before: None,
            difference: None,
            oldest: change.newest,
            ..change.clone()
        };
        insta::assert_snapshot!(message("2026.11.28-1".parse().unwrap(), &[change, first], true), @r"
        databases 2026.11.28-1: 342,054 players of EU, KR

        EU: 342,053 players, 1,204 added, 12 removed, 0 changed, 18,512,345 bytes, 999 before, data of 2026-11-20 to 2026-11-28
        KR: 1 player, 1,000 bytes, data of 2026-11-28
        The core's files changed.

        Stint-Version: 2026.11.28-1
        ");
    }
}
