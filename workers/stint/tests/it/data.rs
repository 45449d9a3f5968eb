//! `stint data`: in, out, and in again.

use crate::program::{Program, text};
use crate::world::PLAYER;

/// As `mongoexport` writes them, canonical and relaxed, with a date and with the float seconds of the original.
const RULES: &str = r#"{"_id":{"$oid":"638190fc00bc58421e002c83"},"raid":{"$numberInt":"26"},"difficulty":{"$numberInt":"3"},"startPage":{"$numberInt":"1"},"endPage":{"$numberInt":"600"},"lastRun":{"$date":{"$numberLong":"1669438300480"}}}
{"_id":{"$oid":"638190fc00bc58421e002c84"},"raid":28.0,"difficulty":4,"startPage":1,"endPage":400,"lastRun":1669438300.48}

{"_id":{"$oid":"638190fc00bc58421e002c85"},"raid":29,"difficulty":5,"startPage":1,"endPage":370}
"#;

const DISCOVERS: &str = r#"{"_id":{"$numberLong":"57147396"},"raidsToScrap":{"26":[{"$numberInt":"3"},{"$numberInt":"5"}]}}
{"_id":12,"raidsToScrap":{"28":[4]}}
"#;

const DROPPED: &str = r#"{"_id":9,"reason":"never-classed","at":{"$date":"2026-11-20T10:00:00.123Z"}}
"#;

/// Digits that a careless parser of floats changes.
fn players() -> String {
    let many_digits =
        PLAYER.replace("57147396", "12").replace("91.2", "90.76923076923077").replace("80.1", "99.12345678901234");
    format!("{PLAYER}\n{many_digits}\n")
}

/// Imports, exports, imports that elsewhere and exports again: both files must be the same.
fn round_trip(collection: &str, documents: &str) -> String {
    let (first, second) = (Program::new(), Program::new());
    let source = first.write("in.jsonl", documents);
    first.succeed(&["data", "import", collection, text(&source)]);
    let exported = first.file("out.jsonl");
    first.succeed(&["data", "export", collection, text(&exported)]);
    second.succeed(&["data", "import", collection, text(&exported)]);
    let again = second.run(&["data", "export", collection, "-"]);
    let exported = std::fs::read_to_string(exported).unwrap();
    assert_eq!(again.stdout, exported);
    exported
}

#[test]
fn rules_move_with_both_forms_of_the_last_run() {
    insta::assert_snapshot!(round_trip("discovery_schedules", RULES));
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
    // MongoDB's dates have milliseconds and no more.
    assert_eq!(round_trip("dropped", &DROPPED.replace(".123Z", ".123456789Z")), DROPPED);
}

#[test]
fn an_array_and_standard_input_are_read_too() {
    let program = Program::new();
    let array = format!("[{}]\n", DISCOVERS.trim().replace('\n', ",\n"));
    let ran = program.run_with_input(&["data", "import", "discovers", "-"], &array);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "imported 2 documents of discovers\n"));
    let source = program.write("in.json", &array);
    assert_eq!(program.json(&["data", "import", "discovers", text(&source)])["documents"], 2);
}

#[test]
fn the_first_bad_line_stops_an_import_and_is_named() {
    let program = Program::new();
    let source = program.write("in.jsonl", &DISCOVERS.replace("{\"_id\":12", "\n{\"_id\":\"twelve\""));
    let import = ["data", "import", "discovers", text(&source)];
    insta::assert_snapshot!(program.fail(&import), @"error: cannot import [folder]/in.jsonl: line 3: field _id: invalid type: string \"twelve\", expected u64 (1 document imported before it); mend the line, or leave such documents out with --skip-bad");
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
        ("discovers", "[1]", "no document"),
        ("discovers", "12", "a document is one JSON object"),
        ("players", &PLAYER.replace("95.3", "195.3"), "field raids.26.4: 195.3 is not a percentile"),
        ("players", &PLAYER.replace("\"EU\"", "\"\""), "field region: is empty"),
        ("discovery_schedules", &RULES.replace("\"600\"", "\"0\""), "field endPage: 0 comes before startPage 1"),
        ("discovery_schedules", &RULES.replace("1669438300480", "soon"), "field lastRun: "),
        ("dropped", &DROPPED.replace("never-classed", "bored"), "field reason: unknown variant `bored`"),
    ] {
        let program = Program::new();
        let source = program.write("in.jsonl", document);
        let error = program.fail(&["data", "import", collection, text(&source)]);
        assert!(error.contains(expected), "{document}: {error}");
    }
}

#[test]
fn a_dry_run_checks_everything_and_stores_nothing() {
    let program = Program::new();
    let good = program.write("good.jsonl", DISCOVERS);
    let checked = program.succeed(&["data", "import", "discovers", text(&good), "--dry-run"]);
    assert_eq!(checked, "could import 2 documents of discovers\n");
    let bad = program.write("bad.jsonl", "{}\n[]\n{\"_id\":12,\"raidsToScrap\":{\"28\":[4]}}\n");
    let error = program.fail(&["data", "import", "discovers", text(&bad), "--dry-run"]);
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
    program.succeed(&["data", "import", "discovers", text(&source)]);
    let export = ["data", "export", "discovers", text(&source)];
    insta::assert_snapshot!(program.fail(&export), @"error: [folder]/in.jsonl exists: add --force to replace it, or choose another name");
    assert_eq!(std::fs::read_to_string(&source).unwrap(), DISCOVERS);
    assert_eq!(program.json(&[&export[..], &["--force"]].concat())["documents"], 2);
    assert_ne!(std::fs::read_to_string(&source).unwrap(), DISCOVERS);
    let leftovers = std::fs::read_dir(source.parent().unwrap()).unwrap();
    assert!(leftovers.into_iter().all(|entry| !entry.unwrap().file_name().to_string_lossy().contains("partial")));
}
