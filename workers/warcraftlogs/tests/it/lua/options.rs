//! Databases with fewer fields, with more precision, or split into several files.

use std::collections::BTreeSet;

use stint_warcraftlogs::lua::format::Precision;
use stint_warcraftlogs::lua::{DatabaseOptions, Field, Found, GenerationReport, LeftOut, database_path, read_back};
use stint_warcraftlogs::model::{Player, RaidRanks};

use super::interpreter::assert_all_found_with;
use super::players::{bare, generate, generate_with, name_of, plain, ranked};

fn players(servers: &[&str]) -> Vec<Player> {
    let player = |number: u32| ranked("EU", servers[number as usize % servers.len()], &name_of(number), number.into());
    (0..400).map(player).collect()
}

/// Both readers return what these options should give.
fn assert_reads_back(players: &[Player], options: &DatabaseOptions) {
    let folder = tempfile::tempdir().unwrap();
    let report = generate_with(folder.path(), players, options.clone());
    assert_eq!(report.refused, []);
    let (players, others): (Vec<Player>, Vec<Player>) =
        players.iter().cloned().partition(|player| has_ranks(&Found::expected_with(player, options).unwrap()));
    assert_eq!(report.left_out.without_ranks, others.len() as u64);
    assert_all_found_with(folder.path(), &players, options);
    let mut found: Vec<Found> = read_back(&report.regions[0].path).map(Result::unwrap).collect();
    let mut expected: Vec<Found> =
        players.iter().map(|player| Found::expected_with(player, options).unwrap()).collect();
    found.sort_by(|left, right| left.name.cmp(&right.name));
    expected.sort_by(|left, right| left.name.cmp(&right.name));
    assert_eq!(found, expected);
}

/// Whether a database contains anything about a player beside the name.
fn has_ranks(found: &Found) -> bool {
    let mut ranks = found.raids.values().flat_map(|raid| raid.values());
    ranks.any(|ranks| !ranks.encounters.is_empty() || ranks.best.or(ranks.median).is_some())
}

#[test]
fn tenths_are_kept_when_they_are_asked_for() {
    assert_reads_back(
        &players(&["Aa", "Bb"]),
        &DatabaseOptions { precision: Precision::Tenths, ..DatabaseOptions::default() },
    );
}

#[test]
fn fields_can_be_left_out_each() {
    for fields in [vec![], vec![Field::Kills], vec![Field::Spec], vec![Field::Median, Field::Spec]] {
        assert_reads_back(
            &players(&["Aa"]),
            &DatabaseOptions { fields: fields.into_iter().collect(), ..DatabaseOptions::default() },
        );
    }
}

#[test]
fn raids_and_difficulties_can_be_chosen() {
    let some = |ids: &[u32]| Some(ids.iter().copied().collect::<BTreeSet<u32>>());
    assert_reads_back(&players(&["Aa"]), &DatabaseOptions { raids: some(&[26, 31]), ..DatabaseOptions::default() });
    assert_reads_back(&players(&["Aa"]), &DatabaseOptions { difficulties: some(&[5]), ..DatabaseOptions::default() });
}

#[test]
fn players_without_selected_ranks_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut mythic = plain("EU", "Aa", "Mythic");
    let ranks = mythic.raids[&26][&4].clone();
    mythic.raids.insert(31, [(5, ranks)].into());
    let empty = |name| {
        let mut player = plain("EU", "Aa", name);
        player.raids.insert(26, [(4, RaidRanks { metric: "dps".to_owned(), ..RaidRanks::default() })].into());
        player
    };
    let everyone = [mythic, plain("EU", "Aa", "Ann"), plain("US", "Aa", "Bea"), empty("Cid"), bare("EU", "Bb", "Dee")];
    let names = |report: &GenerationReport| {
        let found = report.regions.iter().flat_map(|region| read_back(&region.path));
        found.map(|found| found.unwrap().name).collect::<Vec<_>>()
    };
    let report = generate(folder.path(), &everyone);
    assert_eq!(names(&report), ["Ann", "Mythic", "Bea"]);
    assert_eq!(report.left_out, LeftOut { without_ranks: 2, ..LeftOut::default() });
    assert_eq!((report.regions[0].servers, report.refused_players), (1, 0), "Dee's server is not written");
    // Options that few players match: the other region keeps its older database, and the report says so.
    let options = DatabaseOptions { raids: Some([31].into()), ..DatabaseOptions::default() };
    let report = generate_with(folder.path(), &everyone, options);
    assert_eq!(names(&report), ["Mythic"]);
    let left_out = LeftOut { without_ranks: 4, regions: vec!["US".to_owned()], ..LeftOut::default() };
    assert_eq!(report.left_out, left_out);
    assert_eq!(read_back(&database_path(folder.path(), "US")).count(), 1);
    assert_eq!(serde_json::to_value(&report).unwrap()["leftOut"]["withoutRanks"], 4);
}

#[test]
fn players_not_updated_for_long_are_left_out_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let updated = |region: &str, server: &str, name: &str, day: &str| Player {
        updated_at: format!("{day}T10:00:00Z").parse().unwrap(),
        ..plain(region, server, name)
    };
    let mut everyone = vec![
        updated("EU", "Aa", "New", "2026-11-20"),
        updated("EU", "Aa", "Edge", "2026-10-21"),
        updated("EU", "Aa", "Old", "2026-10-20"),
        updated("EU", "Bb", "Older", "2026-01-01"),
        updated("US", "Aa", "Oldest", "2021-01-01"),
    ];
    let generate = |everyone: &[Player], days| {
        let report = generate_with(
            folder.path(),
            everyone,
            DatabaseOptions { max_age_days: days, ..DatabaseOptions::default() },
        );
        let found = report.regions.iter().flat_map(|region| read_back(&region.path));
        (found.map(|found| found.unwrap().name).collect::<Vec<_>>().join(" "), report.left_out)
    };
    let (names, left_out) = generate(&everyone, None);
    assert_eq!((names.split(' ').count(), left_out), (5, LeftOut::default()));
    let (names, left_out) = generate(&everyone, Some(30));
    assert_eq!(names, "Edge New");
    let since = Some("2026-10-21T10:00:00Z".parse().unwrap());
    let expected = LeftOut { not_seen: 3, not_seen_since: since, regions: vec!["US".to_owned()], ..LeftOut::default() };
    assert_eq!(left_out, expected);
    // A fleet that was stopped loses no player: days are counted back from the newest player. A clock that was ahead
    // loses none either: the generation's own time, a day after the newest player, is the latest that counts.
    everyone.push(updated("EU", "Aa", "Future", "2043-01-01"));
    assert_eq!(generate(&everyone, Some(31)).0, "Edge Future New");
    everyone.retain(|player| player.name.starts_with("Old"));
    assert_eq!(generate(&everyone, Some(300)).0, "Old Older");
}

#[test]
fn servers_of_one_slug_are_one_under_the_newest_name() {
    let named = |name: &str, server: &str, day: u32, id: u64| {
        let mut player = plain("EU", "Aggra", name);
        player.server.name = server.to_owned();
        player.server.normalized_name = server.replace(' ', "");
        player.updated_at = format!("2026-11-{day:02}T10:00:00Z").parse().unwrap();
        player.id = id;
        player
    };
    let mut everyone = [
        named("Ann", "Aggra (Português)", 1, 1),
        named("Bea", "Aggra(Português)", 9, 2),
        named("Ann", "Aggra (Portugues)", 8, 3),
        named("Cid", "Aggra (Português)", 9, 4),
    ];
    let mut files = Vec::new();
    for _ in 0..2 {
        let folder = tempfile::tempdir().unwrap();
        let report = generate(folder.path(), &everyone);
        assert_eq!(report.regions[0].servers, 1);
        let refused: Vec<u64> = report.refused.iter().map(|refused| refused.id).collect();
        assert_eq!(refused, [1], "the older of one name");
        let servers: BTreeSet<_> = read_back(&report.regions[0].path).map(|found| found.unwrap().server.name).collect();
        assert_eq!(servers, ["Aggra(Português)".to_owned()].into(), "of the same moment, the one that is greater");
        files.push(std::fs::read(&report.regions[0].path).unwrap());
        everyone.reverse();
    }
    assert_eq!(files[0], files[1]);
}

#[test]
fn a_region_beyond_the_largest_file_gets_more_of_them() {
    let options = DatabaseOptions { largest_file: 20_000, ..DatabaseOptions::default() };
    let players = players(&["Aa", "Bb", "Cc", "Dd", "Ee"]);
    assert_reads_back(&players, &options);
    let folder = tempfile::tempdir().unwrap();
    let report = generate_with(folder.path(), &players, options);
    let names = |report: &stint_warcraftlogs::lua::GenerationReport| {
        let name = |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        report.regions[0].files.iter().map(name).collect::<Vec<_>>()
    };
    let parts = names(&report);
    assert!(parts.len() > 2 && parts[0] == "Stint_EU_1.lua" && parts.last().unwrap() == "Stint_EU.lua", "{parts:?}");
    let toc = std::fs::read_to_string(folder.path().join("Stint_EU/Stint_EU.toc")).unwrap();
    assert!(toc.ends_with(&(parts.join("\n") + "\n")), "{toc}");
    // Files that a smaller region no longer needs are removed.
    assert_eq!(names(&generate_with(folder.path(), &players, DatabaseOptions::default())), ["Stint_EU.lua"]);
    assert!(!folder.path().join("Stint_EU/Stint_EU_1.lua").exists());
}
