//! Tests of `stint data`: import, export, and import again.

use crate::home_fixture::{HomeFixture, PLAYER, block_on};
use crate::program::{Program, text};

/// Documents as `mongoexport` writes them, canonical and relaxed, one with a date and one with the original's float
/// seconds.
const RULES: &str = r#"{"_id":{"$oid":"638190fc00bc58421e002c83"},"raid":{"$numberInt":"26"},"difficulty":{"$numberInt":"3"},"startPage":{"$numberInt":"1"},"endPage":{"$numberInt":"600"},"lastRun":{"$date":{"$numberLong":"1669438300480"}}}
{"_id":{"$oid":"638190fc00bc58421e002c84"},"raid":28.0,"difficulty":4,"startPage":1,"endPage":400,"lastRun":1669438300.48}

{"_id":{"$oid":"638190fc00bc58421e002c85"},"raid":29,"difficulty":5,"startPage":1,"endPage":370}
"#;

const DISCOVERS: &str = r#"{"_id":{"$numberLong":"57147396"},"raidsToScrap":{"26":[{"$numberInt":"3"},{"$numberInt":"5"}]}}
{"_id":12,"raidsToScrap":{"28":[4]}}
"#;

const DROPPED: &str = r#"{"_id":9,"reason":"never-classed","at":{"$date":"2026-11-20T10:00:00.123Z"}}
"#;

/// Returns players with digits that a careless float parser changes.
fn players() -> String {
    let many_digits =
        PLAYER.replace("57147396", "12").replace("91.2", "90.76923076923077").replace("80.1", "99.12345678901234");
    format!("{PLAYER}\n{many_digits}\n")
}

/// Imports, exports, imports the result elsewhere and exports again. Both files must be equal.
fn round_trip(collection: &str, documents: &str) -> String {
    let (first, second) = (Program::new(), Program::new());
    let source = first.write("in.jsonl", documents);
    first.succeed(&["data", "import", "wcl", collection, text(&source)]);
    let exported = first.file("out.jsonl");
    first.succeed(&["data", "export", "wcl", collection, text(&exported)]);
    second.succeed(&["data", "import", "wcl", collection, text(&exported)]);
    let again = second.run(&["data", "export", "wcl", collection, "-"]);
    let exported = std::fs::read_to_string(exported).unwrap();
    assert_eq!(again.stdout, exported);
    exported
}

#[test]
fn rules_move_with_both_forms_of_the_last_run() {
    insta::assert_snapshot!(round_trip("discovery_schedules", RULES));
}

#[test]
fn a_rule_moves_with_its_unknown_fields() {
    let rule = r#"{"_id":{"$oid":"638190fc00bc58421e002c83"},"raid":26,"difficulty":3,"startPage":1,"endPage":600,"partition":2,"size":20,"metric":"hps","region":"EU","server":"tarren-mill","guild":"Écho","bytes":{"$binary":{"base64":"AA==","subType":"00"}},"note":{"by":["me",1.5]},"since":{"$date":{"$numberLong":"5"}}}
"#;
    assert_eq!(round_trip("discovery_schedules", rule), rule);
    let program = Program::new();
    let source = program.write("in.jsonl", &rule.replace("\"hps\"", "\"HPS\""));
    let error = program.fail(&["data", "import", "wcl", "discovery_schedules", text(&source)]);
    assert!(error.contains("line 1: field metric: 'HPS' is not one of default, dps"), "{error}");
}

#[test]
fn discovered_players_move() {
    insta::assert_snapshot!(round_trip("discovers", DISCOVERS));
}

#[test]
fn players_move_to_the_last_digit() {
    let exported = round_trip("players", &players());
    let mut lines: Vec<&str> = exported.lines().collect();
    lines.sort_unstable();
    let expected = players();
    let mut expected: Vec<&str> = expected.lines().collect();
    expected.sort_unstable();
    assert_eq!(lines, expected);
}

#[test]
fn dropped_players_move() {
    assert_eq!(round_trip("dropped", DROPPED), DROPPED);
    // MongoDB's dates have millisecond precision.
    assert_eq!(round_trip("dropped", &DROPPED.replace(".123Z", ".123456789Z")), DROPPED);
}

#[test]
fn an_array_and_standard_input_are_read() {
    let program = Program::new();
    let array = format!("[{}]\n", DISCOVERS.trim().replace('\n', ",\n"));
    let ran = program.run_with_input(&["data", "import", "wcl", "discovers", "-"], &array);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "imported 2 documents of discovers\n"));
    let source = program.write("in.json", &array);
    assert_eq!(program.json(&["data", "import", "wcl", "discovers", text(&source)])["documents"], 2);
}

#[test]
fn the_first_bad_line_stops_an_import_and_is_named() {
    let program = Program::new();
    let source = program.write("in.jsonl", &DISCOVERS.replace("{\"_id\":12", "\n{\"_id\":\"twelve\""));
    let import = ["data", "import", "wcl", "discovers", text(&source)];
    insta::assert_snapshot!(program.fail(&import), @"error: cannot import [folder]/in.jsonl: line 3: field _id: invalid type: string \"twelve\", expected u64 (1 document imported before it); fix the line, or leave such documents out with --skip-bad");
    let ran = program.run(&[&import[..], &["--skip-bad"]].concat());
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "imported 1 document of discovers, and left out 1 bad document\n"));
    assert!(ran.stderr.starts_with("warning: line 3: field _id"), "{}", ran.stderr);
}

#[test]
fn bad_documents_name_the_field() {
    for (collection, document, expected) in [
        ("discovers", r#"{"_id":12,"raidsToScrap":{"26":3}}"#, "line 1: field raidsToScrap.26"),
        ("discovers", r#"{"_id":12,"raidsToScrap":{}}"#, "line 1: field raidsToScrap: names no raid"),
        ("discovers", r#"{"_id":12,"raids":{"26":[3]}}"#, "unknown field `raids`"),
        ("discovers", r#"{"_id":0,"raidsToScrap":{"26":[3]}}"#, "field _id: 0 is not a player's id"),
        ("discovers", r#"{"_id":12"#, "the document does not end on its line"),
        ("discovers", "[1]", "other than a document"),
        ("discovers", "12", "a document is one JSON object"),
        ("players", &PLAYER.replace("95.3", "195.3"), "field raids.26.4: 195.3 is not a percentile"),
        ("players", &PLAYER.replace("\"EU\"", "\"\""), "field region: is empty"),
        ("discovery_schedules", &RULES.replace("\"600\"", "\"0\""), "field endPage: 0 comes before startPage 1"),
        ("discovery_schedules", &RULES.replace("1669438300480", "soon"), "field lastRun: "),
        ("dropped", &DROPPED.replace("never-classed", "bored"), "field reason: unknown variant `bored`"),
    ] {
        let program = Program::new();
        let source = program.write("in.jsonl", document);
        let error = program.fail(&["data", "import", "wcl", collection, text(&source)]);
        assert!(error.contains(expected), "{document}: {error}");
    }
}

#[test]
fn a_dry_run_checks_everything_and_stores_nothing() {
    let program = Program::new();
    let good = program.write("good.jsonl", DISCOVERS);
    let checked = program.succeed(&["data", "import", "wcl", "discovers", text(&good), "--dry-run"]);
    assert_eq!(checked, "could import 2 documents of discovers\n");
    let bad = program.write("bad.jsonl", "{}\n[]\n{\"_id\":12,\"raidsToScrap\":{\"28\":[4]}}\n");
    let error = program.fail(&["data", "import", "wcl", "discovers", text(&bad), "--dry-run"]);
    for expected in
        ["warning: line 1: missing field `_id`", "warning: line 2: a document is", "1 document is good and 2 are not"]
    {
        assert!(error.contains(expected), "{error}");
    }
    assert!(!program.home().exists());
}

#[test]
fn an_export_replaces_a_file_only_when_forced() {
    let program = Program::new();
    let source = program.write("in.jsonl", DISCOVERS);
    program.succeed(&["data", "import", "wcl", "discovers", text(&source)]);
    let export = ["data", "export", "wcl", "discovers", text(&source)];
    insta::assert_snapshot!(program.fail(&export), @"error: [folder]/in.jsonl exists: add --force to replace it, or choose another name");
    assert_eq!(std::fs::read_to_string(&source).unwrap(), DISCOVERS);
    assert_eq!(program.json(&[&export[..], &["--force"]].concat())["documents"], 2);
    assert_ne!(std::fs::read_to_string(&source).unwrap(), DISCOVERS);
    let leftovers = std::fs::read_dir(source.parent().unwrap()).unwrap();
    assert!(leftovers.into_iter().all(|entry| !entry.unwrap().file_name().to_string_lossy().contains("partial")));
}

#[test]
fn the_newer_of_two_players_is_kept_unless_it_is_overwritten() {
    let program = Program::new();
    let newer = program.write("newer.jsonl", PLAYER);
    let older = PLAYER.replace("2026-11-20T", "2026-11-19T").replace("91.2", "11.2").replace("Ånn", "Old");
    let older = program.write(
        "older.jsonl",
        &older.replace(
            "{\"26\":{",
            "{\"26\":{\"3\":{\"metric\":\"hps\",\"best\":1.5,\"median\":null,\"encounters\":{}},",
        ),
    );
    let exported = || program.run(&["data", "export", "wcl", "players", "-"]).stdout;
    program.succeed(&["data", "import", "wcl", "players", text(&newer)]);
    let told = program.succeed(&["data", "import", "wcl", "players", text(&older)]);
    assert_eq!(told, "imported 1 document of players\n0 new, 0 updated, 1 older than what is stored\n");
    let kept = exported();
    assert!(
        kept.contains("Ånn") && kept.contains("91.2") && kept.contains("\"hps\""),
        "what only the older has is added: {kept}"
    );
    let json = program.json(&["data", "import", "wcl", "players", text(&newer)]);
    assert_eq!(json["players"], serde_json::json!({"new": 0, "updated": 1, "older": 0}));
    assert_eq!(exported(), kept);
    let json = program.json(&["data", "import", "wcl", "players", text(&older), "--overwrite"]);
    assert_eq!((&json["players"], &json["documents"]), (&serde_json::Value::Null, &1.into()));
    assert!(exported().contains("\"Old\"") && exported().contains("11.2"));
    let error = program.run(&["data", "import", "wcl", "discovers", text(&older), "--overwrite"]);
    assert_eq!(error.code, 2, "{}", error.stderr);
}

#[test]
fn unknown_fields_are_reported_and_counted() {
    let program = Program::new();
    let with_guild = PLAYER
        .replace("\"classId\"", "\"guild\":{\"name\":\"Night\"},\"classId\"")
        .replace("\"kills\"", "\"rank\":7,\"kills\"");
    let source = program.write("in.jsonl", &with_guild);
    for options in [&["--dry-run", "--json"][..], &["--json"]] {
        let ran = program.run(&[&["data", "import", "wcl", "players", text(&source)], options].concat());
        assert!(ran.stderr.contains("warning: unknown field guild was left out: 1 document"), "{}", ran.stderr);
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(json["unknown_fields"], serde_json::json!({"guild": 1, "raids.*.*.encounters.*.rank": 1}));
    }
}

/// If the fleet was started, imported documents are processed at once, and imported players are written into the
/// databases.
#[test]
fn an_import_wakes_the_worker_that_has_work() {
    for (collection, documents, worker) in [
        ("discovery_schedules", RULES, Some("discover")),
        ("discovers", DISCOVERS, Some("aggregator")),
        ("players", PLAYER, Some("aggregator")),
        ("dropped", DROPPED, None),
    ] {
        let program = Program::new();
        block_on(async { HomeFixture::open(&program.home()).schedules().await });
        let before = block_on(async { HomeFixture::open(&program.home()).woken().await });
        let source = program.write("in.jsonl", documents);
        program.succeed(&["data", "import", "wcl", collection, text(&source)]);
        let (woken, reached) = block_on(async {
            let fixture = HomeFixture::open(&program.home());
            (fixture.woken().await, fixture.reached().await)
        });
        let new: Vec<&str> = woken.iter().filter(|worker| !before.contains(worker)).map(String::as_str).collect();
        assert_eq!(new, Vec::from_iter(worker), "{collection}");
        assert_eq!(reached.databases_out_of_date(), collection == "players", "{collection}");
    }
}

#[test]
fn common_mistakes_are_named_with_their_remedies() {
    let player_of = |id: &str| PLAYER.replace("57147396", id);
    for (collection, document, expected) in [
        ("players", PLAYER.replace("\"EU\"", "\"eu\""), "field region: write EU instead of 'eu'"),
        ("players", PLAYER.replace("\"EU\"", "\"Mars\""), "field region: 'Mars' is not one of US, EU, KR, TW, CN"),
        (
            "players",
            "_id,name,region\n7,Ann,EU\n".to_owned(),
            "line 1: this is CSV, not JSON: export the collection with 'mongoexport --type=json'",
        ),
        ("players", player_of("9223372036854775808"), "9223372036854775808 is not a player's id (1 to 2147483647)"),
        ("players", player_of("18446744073709551616"), "field _id"),
        (
            "discovery_schedules",
            r#"{"_id":1,"raid":26,"difficulty":3,"startPage":1,"endPage":600}"#.to_owned(),
            "field _id: 1 is not an id of 24 hexadecimal digits",
        ),
    ] {
        let program = Program::new();
        let source = program.write("in", &document);
        let error = program.fail(&["data", "import", "wcl", collection, text(&source)]);
        assert!(error.contains(expected), "{document}: {error}");
    }
}

/// A player as stored by the deployment of the source document.
const RAIDLOGS: &str = r#"{"_id":{"$numberInt":"57147396"},"name":"狂嗨2F8469","server":"暗影之月","region":"TW","raids":{"2398_4":{"encounter":2398,"tag":"2398_4","difficulty":4,"zone":26,"metric":"dps","averagePerformance":60,"bestPerformance":95.0,"totalKills":12}}}
{"_id":12,"name":"Ann","server":"Tarren Mill","region":"EU","encounters":{"Alias_26_3_2398":{"encounter":2398,"difficulty":3,"zone":26,"metric":"hps","bestPerformance":40,"totalKills":1}}}
"#;

#[test]
fn players_of_the_original_are_converted() {
    let program = Program::new();
    let source = program.write("raidlogs.jsonl", RAIDLOGS);
    let import = ["data", "import", "wcl", "players", text(&source), "--from", "raidlogs"];
    let ask = |options: &[&str]| {
        let ran = program.run(&[&import[..], &["--json"], options].concat());
        assert!(
            ran.stderr.contains("warning: unknown field raids.*.averagePerformance was left out"),
            "{}",
            ran.stderr
        );
        serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap()
    };
    let json = ask(&["--dry-run"]);
    assert_eq!((&json["documents"], &json["players"]), (&2.into(), &serde_json::Value::Null));
    assert!(!program.home().exists());
    assert!(program.fail(&import[..5]).contains("line 1: field"), "it takes the converter");
    let json = ask(&[]);
    assert_eq!(json["players"], serde_json::json!({"new": 2, "updated": 0, "older": 0}));
    assert_eq!(json["unknown_fields"], serde_json::json!({"raids.*.averagePerformance": 1}));
    insta::assert_snapshot!(program.run(&["data", "export", "wcl", "players", "-"]).stdout);
    assert_eq!(ask(&[])["players"]["updated"], 2, "again");
}
