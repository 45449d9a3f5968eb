//! All-star points, scores and keystones, which a database contains only on request.

use std::collections::BTreeSet;

use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};
use proptest::sample::subsequence;
use stint_warcraftlogs::lua::format::Precision;
use stint_warcraftlogs::lua::{
    DatabaseOptions, DatabaseWriter, Field, Found, GenerationReport, database_path, lookup, read_back,
};
use stint_warcraftlogs::model::{AllStars, Player};

use super::interpreter::assert_all_found_with;
use super::players::{GENERATED, SplitMix64, generate, generate_with, name_of, ranked};

/// Options with these extras in addition to everything else.
fn with(extras: &[Field]) -> DatabaseOptions {
    let mut options = DatabaseOptions::default();
    options.fields.extend(extras);
    options
}

/// A player with extras derived from the seed, including the largest and the smallest numbers.
fn starred(name: &str, seed: u64) -> Player {
    let mut dice = SplitMix64(seed);
    let mut player = ranked("EU", ["Aa", "Bb"][seed as usize % 2], name, seed);
    for ranks in player.raids.values_mut().flat_map(|raid| raid.values_mut()) {
        ranks.all_stars = (0..dice.below(4)).map(|_| all_stars(&mut dice)).collect();
        for rank in ranks.encounters.values_mut() {
            rank.all_stars = (dice.below(3) > 0).then(|| all_stars(&mut dice));
            rank.score = (dice.below(3) > 0).then(|| f64::from(dice.below(6_000)) / 10.0);
            rank.key_level = number(&mut dice);
        }
    }
    player
}

fn all_stars(dice: &mut SplitMix64) -> AllStars {
    let spec = [None, Some(""), Some("Fire"), Some("Beast Mastery"), Some("Holy")][dice.below(5) as usize];
    let points = [0.0, 1_000_000.0, 910.852, f64::from(dice.below(120_000)) / 100.0][dice.below(4) as usize];
    AllStars {
        spec: spec.map(str::to_owned),
        partition: number(dice),
        points,
        rank: number(dice),
        region_rank: number(dice),
        server_rank: number(dice),
    }
}

/// A number of any size, or `None`.
fn number(dice: &mut SplitMix64) -> Option<u32> {
    let size = dice.below(35);
    match size {
        0 => None,
        1 => Some(0),
        2 => Some(u32::MAX),
        size => Some(dice.below(u32::MAX) >> (size - 3).min(31)),
    }
}

fn players(number: u32) -> Vec<Player> {
    (0..number).map(|number| starred(&name_of(number), number.into())).collect()
}

fn without_extras(mut player: Player) -> Player {
    for ranks in player.raids.values_mut().flat_map(|raid| raid.values_mut()) {
        ranks.all_stars.clear();
        for rank in ranks.encounters.values_mut() {
            (rank.all_stars, rank.score, rank.key_level) = (None, None, None);
        }
    }
    player
}

/// Every player of the report's files, by name.
fn all_found(report: &GenerationReport) -> Vec<Found> {
    let mut found: Vec<Found> = read_back(&report.regions[0].path).map(Result::unwrap).collect();
    found.sort_by(|left, right| left.name.cmp(&right.name));
    found
}

fn options() -> impl Strategy<Value = DatabaseOptions> {
    let all = vec![Field::Median, Field::Kills, Field::Spec, Field::AllStars, Field::BossAllStars, Field::Score];
    (subsequence(all, 0..=6), any::<bool>()).prop_map(|(fields, tenths)| DatabaseOptions {
        fields: fields.into_iter().collect(),
        precision: if tenths { Precision::Tenths } else { Precision::Whole },
        ..DatabaseOptions::default()
    })
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(32))]

    #[test]
    fn what_is_asked_for_comes_back_in_rust_and_in_lua(seeds in proptest::collection::btree_set(0u32..10_000, 1..20), options in options()) {
        let folder = tempfile::tempdir().unwrap();
        let players: Vec<Player> = seeds.iter().map(|seed| starred(&name_of(*seed), u64::from(*seed))).collect();
        let players: Vec<Player> = players.into_iter().filter(|player| !player.raids.is_empty()).collect();
        let report = generate_with(folder.path(), &players, options.clone());
        prop_assert_eq!(&report.refused, &[]);
        let mut expected: Vec<Found> = players.iter().map(|player| Found::expected_with(player, &options).unwrap()).collect();
        expected.retain(|found| found.raids.values().flat_map(|raid| raid.values()).any(|ranks| {
            !ranks.encounters.is_empty() || ranks.best.or(ranks.median).is_some()
        }));
        expected.sort_by(|left, right| left.name.cmp(&right.name));
        if !expected.is_empty() {
            prop_assert_eq!(all_found(&report), expected.clone());
        }
        let names: BTreeSet<&str> = expected.iter().map(|found| found.name.as_str()).collect();
        let written: Vec<Player> = players.iter().filter(|player| names.contains(&*player.name)).cloned().collect();
        assert_all_found_with(folder.path(), &written, &options);
    }
}

#[test]
fn a_database_that_is_not_asked_to_has_the_same_bytes_with_and_without_extras_in_the_documents() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let plain: Vec<Player> = players(60).into_iter().map(without_extras).collect();
    let reports = [generate(folders[0].path(), &players(60)), generate(folders[1].path(), &plain)];
    let [with, without] = [0, 1].map(|place| std::fs::read(&reports[place].regions[0].path).unwrap());
    assert!(with == without);
    let toc = folders[0].path().join("Stint_EU/Stint_EU.toc");
    assert!(std::fs::read_to_string(toc).unwrap().contains("## X-Stint-Format: 2\n"));
}

/// A reader of format 2 refuses every other number before it reads anything else.
#[test]
fn a_database_with_extras_has_the_format_that_older_readers_refuse() {
    for field in [Field::AllStars, Field::BossAllStars, Field::Score] {
        let folder = tempfile::tempdir().unwrap();
        let report = generate_with(folder.path(), &players(3), with(&[field]));
        let text = std::fs::read_to_string(&report.regions[0].path).unwrap();
        assert!(
            text.starts_with("-- Stint database, format 3, region EU") && text.contains("\nD.format=3\n"),
            "{text}"
        );
        let toc = folder.path().join("Stint_EU/Stint_EU.toc");
        assert!(std::fs::read_to_string(toc).unwrap().contains("## X-Stint-Format: 3\n"));
    }
}

#[test]
fn extras_that_would_break_a_file_refuse_their_player_where_they_are_asked_for() {
    let with_stars = |change: fn(&mut AllStars)| {
        let mut player = starred("Ann", 5);
        let mut stars = AllStars { points: 1.0, ..AllStars::default() };
        change(&mut stars);
        let ranks = player.raids.values_mut().flat_map(|raid| raid.values_mut()).next().unwrap();
        ranks.all_stars = vec![stars.clone()];
        ranks.encounters.values_mut().for_each(|rank| rank.all_stars = Some(stars.clone()));
        player
    };
    let mut too_many = starred("Ann", 5);
    let first = too_many.raids.values_mut().flat_map(|raid| raid.values_mut()).next().unwrap();
    first.all_stars = vec![AllStars::default(); 256];
    for (player, reason) in [
        (with_stars(|stars| stars.spec = Some("Fi\"re".into())), "the spec of all stars"),
        (with_stars(|stars| stars.spec = Some("]==]\nos.exit()".into())), "the spec of all stars"),
        (with_stars(|stars| stars.spec = Some("\\".into())), "the spec of all stars"),
        (with_stars(|stars| stars.points = -0.5), "points are out of range"),
        (with_stars(|stars| stars.points = 1e9), "points are out of range"),
        (too_many, "too many all-star entries"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let asked = generate_with(folder.path(), std::slice::from_ref(&player), with(&[Field::AllStars]));
        assert!(asked.refused[0].reason.contains(reason), "{}", asked.refused[0].reason);
        assert_eq!(generate(folder.path(), &[player]).refused, [], "nothing of it is written");
    }
}

/// MongoDB keeps the order in which a document was written, and numbers as text sort differently from numbers.
#[test]
fn documents_in_any_order_give_the_same_bytes() {
    let player = starred("Ann", 5);
    let text = serde_json::to_string(&player).unwrap();
    let reversed = reversed(serde_json::from_str(&text).unwrap());
    assert_ne!(text, reversed);
    let files = [text, reversed].map(|text| {
        let folder = tempfile::tempdir().unwrap();
        let options = with(&[Field::AllStars, Field::BossAllStars, Field::Score]);
        let mut writer = DatabaseWriter::create_with(folder.path(), options).unwrap();
        writer.push_documents(vec![(player.id, text)]).unwrap();
        writer.finish(GENERATED.parse().unwrap()).unwrap();
        std::fs::read(database_path(folder.path(), "EU")).unwrap()
    });
    assert!(files[0] == files[1]);
}

/// The text of a document with the members of every object in reverse order.
fn reversed(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(members) => {
            let members = members.into_iter().rev().map(|(key, value)| format!("{key:?}:{}", reversed(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        serde_json::Value::Array(items) => {
            format!("[{}]", items.into_iter().map(reversed).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

#[test]
fn damaged_extras_are_an_error_that_names_the_player() {
    let folder = tempfile::tempdir().unwrap();
    generate_with(folder.path(), &[starred("Ann", 5)], with(&[Field::BossAllStars]));
    let server = "Bb";
    assert!(lookup(folder.path(), "EU", server, "Ann").unwrap().is_some());
    let path = database_path(folder.path(), "EU");
    let whole = std::fs::read_to_string(&path).unwrap();
    let record = whole.lines().find(|line| line.starts_with("Ann")).unwrap().to_owned();
    let space = record.find(' ').unwrap();
    for damaged in
        [record.replacen(' ', "!", 1), format!("{} {}", &record[..space], "~".repeat(record.len() - space - 1))]
    {
        std::fs::write(&path, whole.replace(&record, &damaged)).unwrap();
        let error = format!("{:#}", lookup(folder.path(), "EU", server, "Ann").unwrap_err());
        assert!(error.contains("the record of \"Ann\"") && error.contains("is damaged"), "{error}");
    }
}
