//! The addon in the interpreter that the game embeds, inside a stand-in for the game.

mod archives;
mod command;
mod loader;
mod tooltip;

use std::path::Path;
use std::process::Command;

use stint_warcraftlogs::lua::format::Precision;
use stint_warcraftlogs::lua::{DatabaseOptions, Field};
use stint_warcraftlogs::model::{AllStars, EncounterRank, Player, RaidRanks};

use crate::lua::players::{bare, generate, generate_with, plain};

/// Ranks with these averages, and a rank for each (boss, best, kills, spec).
fn ranks(best: f64, median: f64, encounters: &[(u32, f64, u32, &str)]) -> RaidRanks {
    let encounters = encounters.iter().map(|(encounter, best, kills, spec)| {
        (
            *encounter,
            EncounterRank { best: Some(*best), kills: *kills, spec: (*spec).to_owned(), ..EncounterRank::default() },
        )
    });
    let (metric, encounters) = ("dps".to_owned(), encounters.collect());
    RaidRanks { metric, best: Some(best), median: Some(median), encounters, ..RaidRanks::default() }
}

/// Ann of Tarren Mill with ranks in two raids, Bea of Area 52 with an average, and Cid of a raid without a name.
fn players() -> [Player; 3] {
    let mut ann = bare("EU", "Tarren Mill", "Ann");
    let heroic = ranks(99.0, 49.0, &[(2398, 100.0, 12, "Fire"), (2418, 24.0, 1, "Arcane")]);
    ann.raids.insert(26, [(3, ranks(10.0, 5.0, &[(2398, 10.0, 30, "Fire")])), (4, heroic)].into());
    ann.raids.insert(28, [(4, ranks(75.0, 50.0, &[(2423, 95.0, 2, "")])), (5, ranks(25.0, 0.0, &[]))].into());
    let mut cid = bare("EU", "Tarren Mill", "Cid");
    cid.raids.insert(99, [(7, ranks(94.0, 74.0, &[(9001, 1.0, 1, "Fire")]))].into());
    [ann, plain("EU", "Area 52", "Bea"), cid]
}

/// A folder with the addons of these players.
fn installed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(generate(folder.path(), &players()).refused, []);
    folder
}

/// A folder with the addons of Ann, who has run two dungeons, in a database with all extras.
fn dungeons() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let stars = |spec: Option<&str>, points, rank, server_rank| AllStars {
        spec: spec.map(str::to_owned),
        points,
        rank,
        region_rank: rank.map(|rank| rank / 3),
        server_rank,
        ..AllStars::default()
    };
    let mut ranked = ranks(99.0, 49.0, &[(12291, 95.0, 12, "Fire"), (12293, 24.0, 1, "Frost")]);
    ranked.all_stars =
        vec![stars(Some("Fire"), 110.4, Some(1518), Some(53)), stars(Some("Frost"), 17.0, Some(9000), None)];
    let best = ranked.encounters.get_mut(&12291).unwrap();
    (best.score, best.key_level, best.all_stars) = (Some(169.3), Some(15), Some(stars(None, 103.43, None, None)));
    let mut ann = bare("EU", "Tarren Mill", "Ann");
    ann.raids.insert(25, [(10, ranked)].into());
    let mut options = DatabaseOptions { precision: Precision::Tenths, ..DatabaseOptions::default() };
    options.fields.extend([Field::AllStars, Field::BossAllStars, Field::Score]);
    assert_eq!(generate_with(folder.path(), &[ann], options).refused, []);
    folder
}

/// Plays a scenario with the addons of a folder, and returns what the player sees.
fn play(folder: &Path, scenario: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), scenario).unwrap();
    let game = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/addon/game.lua");
    let output = Command::new("lua5.1").args([&game, folder, file.path()]).output();
    let output = output.expect("lua5.1 is missing: run scripts/test, or apt-get install lua5.1");
    assert!(output.status.success(), "{scenario}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
