//! What the writer refuses, and its errors.

use stint_warcraftlogs::lua::{DatabaseWriter, read_back};
use stint_warcraftlogs::model::Player;

use super::players::{GENERATED, bare, generate, plain, ranked, server};

#[test]
fn damaged_players_are_refused_by_name_and_the_rest_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["", "A-n", "A\nn", "A\u{85}", "A\0", "A\u{7f}"] {
        let report = generate(folder.path(), &[plain("EU", "Aa", name), plain("EU", "Aa", "Bea")]);
        assert_eq!((report.refused_players, report.regions[0].players), (1, 1), "{name:?}");
        assert_eq!(report.refused[0].name, name);
    }
}

#[test]
fn every_refusal_says_its_reason() {
    let ann = || ranked("EU", "Aa", "Ann", 3);
    let with = |change: fn(&mut Player)| {
        let mut player = ann();
        change(&mut player);
        player
    };
    for (player, reason) in [
        (with(|player| player.server = server("A\nb")), "the server name"),
        (with(|player| player.server.slug.clear()), "the server has an empty name"),
        (with(|player| player.server.normalized_name.push_str("]]")), "normalized name"),
        (with(|player| player.region = "E/U".to_owned()), "region \"E/U\""),
        (with(|player| player.id = 1 << 63), "id 9223372036854775808 is 2^63 or more"),
        (with(|player| player.class_id = 32), "class id 32 is above 31"),
        (with(|player| player.updated_at = "2019-12-31T00:00:00Z".parse().unwrap()), "updatedAt 2019-12-31"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let report = generate(folder.path(), &[player]);
        assert!(report.refused[0].reason.contains(reason), "{}", report.refused[0].reason);
        assert_eq!(report.regions, []);
    }
}

#[test]
fn ranks_outside_their_range_and_broken_specs_are_refused() {
    for (best, spec, reason) in [(100.5, "Fire", "is 100.5, not within 0 to 100"), (5.0, "Fi\"re", "the spec")] {
        let folder = tempfile::tempdir().unwrap();
        let mut player = ranked("EU", "Aa", "Ann", 3);
        for rank in
            player.raids.values_mut().flat_map(|raid| raid.values_mut()).flat_map(|ranks| ranks.encounters.values_mut())
        {
            rank.best = Some(best);
            rank.spec = spec.to_owned();
        }
        let report = generate(folder.path(), &[player]);
        assert!(report.refused[0].reason.contains(reason), "{}", report.refused[0].reason);
    }
}

#[test]
fn of_two_players_with_one_name_the_newer_stays_whichever_comes_first() {
    let (mut older, mut newer) = (ranked("EU", "Aa", "Ann", 1), ranked("EU", "Aa", "Ann", 2));
    older.updated_at = "2025-01-01T00:00:00Z".parse().unwrap();
    newer.updated_at = "2025-01-02T00:00:00Z".parse().unwrap();
    let mut files = Vec::new();
    for players in [[older.clone(), newer.clone()], [newer.clone(), older.clone()]] {
        let folder = tempfile::tempdir().unwrap();
        let report = generate(folder.path(), &players);
        assert_eq!(report.refused.len(), 1);
        assert_eq!(report.refused[0].id, older.id);
        assert!(report.refused[0].reason.contains(&format!("player {} has the same name", newer.id)));
        files.push(std::fs::read(&report.regions[0].path).unwrap());
    }
    assert_eq!(files[0], files[1]);
}

#[test]
fn documents_that_cannot_be_read_and_keys_that_come_twice_are_refused() {
    let text = serde_json::to_string(&bare("EU", "Aa", "Ann")).unwrap();
    let twice = |raids: &str| text.replace("\"raids\":{}", &format!("\"raids\":{raids}"));
    let ranks =
        r#"{"metric":"dps","best":1,"median":1,"encounters":{"7":{"best":1,"kills":1},"7":{"best":2,"kills":1}}}"#;
    let empty = r#"{"metric":"dps","best":1,"median":1,"encounters":{}}"#;
    for (document, reason) in [
        ("{".to_owned(), "cannot be read"),
        (text.replace("\"classId\":4,", ""), "missing field `classId`"),
        (twice(r#"{"26":{"4":{"best":1}}}"#), "missing field `metric`"),
        (twice(&format!(r#"{{"26":{{"4":{empty},"4":{empty}}}}}"#)), "raid 26, difficulty 4 is there twice"),
        (twice(&format!(r#"{{"26":{{"4":{ranks}}}}}"#)), "encounter 7 is there twice"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = DatabaseWriter::create(folder.path()).unwrap();
        writer.push_documents(vec![(9, document)]).unwrap();
        writer.push(plain("EU", "Aa", "Bea")).unwrap();
        let report = writer.finish(GENERATED.parse().unwrap()).unwrap();
        assert!(report.refused[0].reason.contains(reason), "{}", report.refused[0].reason);
        assert_eq!((report.refused_players, report.regions[0].players), (1, 1));
    }
}

#[test]
fn an_unfinished_generation_leaves_the_older_file() {
    let folder = tempfile::tempdir().unwrap();
    let report = generate(folder.path(), &[plain("EU", "Aa", "Old")]);
    let mut writer = DatabaseWriter::create(folder.path()).unwrap();
    writer.push(plain("EU", "Aa", "New")).unwrap();
    drop(writer);
    let names: Vec<String> = read_back(&report.regions[0].path).map(|found| found.unwrap().name).collect();
    assert_eq!(names, ["Old"]);
    let mut files: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["Stint", "Stint_EU"]);
    let region = report.regions[0].path.parent().unwrap();
    let mut files: Vec<_> = region.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["Stint_EU.lua", "Stint_EU.toc"]);
    assert_eq!(report.generated_at, GENERATED.parse().unwrap());
}
