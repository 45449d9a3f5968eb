//! Databases that say less, or more exactly, or are spread over files.

use std::collections::BTreeSet;

use stint_warcraftlogs::lua::format::Precision;
use stint_warcraftlogs::lua::{Field, Found, Options, read_back};
use stint_warcraftlogs::model::Player;

use super::interpreter::assert_all_found_with;
use super::world::{generate_with, name_of, ranked};

fn players(servers: &[&str]) -> Vec<Player> {
    let player = |number: u32| ranked("EU", servers[number as usize % servers.len()], &name_of(number), number.into());
    (0..400).map(player).collect()
}

/// Both readers give back what is expected of these options.
fn assert_reads_back(players: &[Player], options: &Options) {
    let folder = tempfile::tempdir().unwrap();
    let report = generate_with(folder.path(), players, options.clone());
    assert_eq!(report.refused, []);
    assert_all_found_with(folder.path(), players, options);
    let mut found: Vec<Found> = read_back(&report.regions[0].path).map(Result::unwrap).collect();
    let mut expected: Vec<Found> =
        players.iter().map(|player| Found::expected_with(player, options).unwrap()).collect();
    found.sort_by(|left, right| left.name.cmp(&right.name));
    expected.sort_by(|left, right| left.name.cmp(&right.name));
    assert_eq!(found, expected);
}

#[test]
fn tenths_are_kept_when_they_are_asked_for() {
    assert_reads_back(&players(&["Aa", "Bb"]), &Options { precision: Precision::Tenths, ..Options::default() });
}

#[test]
fn fields_can_be_left_out_each() {
    for fields in [vec![], vec![Field::Kills], vec![Field::Spec], vec![Field::Median, Field::Spec]] {
        assert_reads_back(&players(&["Aa"]), &Options { fields: fields.into_iter().collect(), ..Options::default() });
    }
}

#[test]
fn raids_and_difficulties_can_be_chosen() {
    let some = |ids: &[u32]| Some(ids.iter().copied().collect::<BTreeSet<u32>>());
    assert_reads_back(&players(&["Aa"]), &Options { raids: some(&[26, 31]), ..Options::default() });
    assert_reads_back(&players(&["Aa"]), &Options { difficulties: some(&[5]), ..Options::default() });
    assert_reads_back(&players(&["Aa"]), &Options { raids: some(&[1]), ..Options::default() });
}

#[test]
fn a_region_beyond_the_largest_file_gets_more_of_them() {
    let options = Options { largest_file: 20_000, ..Options::default() };
    let players = players(&["Aa", "Bb", "Cc", "Dd", "Ee"]);
    assert_reads_back(&players, &options);
    let folder = tempfile::tempdir().unwrap();
    let report = generate_with(folder.path(), &players, options);
    let names = |report: &stint_warcraftlogs::lua::Report| {
        let name = |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        report.regions[0].files.iter().map(name).collect::<Vec<_>>()
    };
    let parts = names(&report);
    assert!(parts.len() > 2 && parts[0] == "Stint_EU_1.lua" && parts.last().unwrap() == "Stint_EU.lua", "{parts:?}");
    let toc = std::fs::read_to_string(folder.path().join("Stint_EU/Stint_EU.toc")).unwrap();
    assert!(toc.ends_with(&(parts.join("\n") + "\n")), "{toc}");
    // What a smaller region no longer needs is removed.
    assert_eq!(names(&generate_with(folder.path(), &players, Options::default())), ["Stint_EU.lua"]);
    assert!(!folder.path().join("Stint_EU/Stint_EU_1.lua").exists());
}
