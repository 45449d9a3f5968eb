//! Tests of exit codes, and of errors that name the fault without exposing a secret.

use serde_json::Value;

use crate::program::{Program, text};

#[test]
fn wrong_usage_ends_with_two() {
    for arguments in [
        &["unknown"][..],
        &["wcl", "rules"],
        &["wcl", "rules", "add"],
        &["wcl", "rules", "remove"],
        &["wcl", "keys", "pause"],
        &["queue", "purge", "--dead", "--all"],
        &["queue", "peek", "--max", "0"],
        &["wcl", "refresh"],
        &["data", "import", "wcl", "unknown", "file"],
        &["data", "export", "wcl", "players", "-", "--json"],
        &["throttle", "set", "wcl/rank-fetcher", "-1"],
        &["wcl", "lookup"],
        &["describe", "--settings", "yaml"],
    ] {
        let ran = Program::new().run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(!ran.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_failure_is_one_line_on_stderr_and_one_object_with_json() {
    for arguments in [
        &["wcl", "keys"][..],
        &["queue", "list"],
        &["wcl", "rules", "list"],
        &["throttle"],
        &["wcl", "refresh", "--id", "7"],
        &["data", "export", "wcl", "players", "file"],
    ] {
        let program = Program::new();
        let error = program.fail(arguments);
        assert!(error.starts_with("error: [folder]/home is not a Stint folder: start with"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        let ran = program.run(&[arguments, &["--json"]].concat());
        let object: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert!(ran.code == 1 && object["error"].as_str().unwrap().contains("is not a Stint folder"), "{ran:?}");
        assert!(!program.home().exists(), "{arguments:?}");
    }
}

#[test]
fn a_malformed_setting_is_named() {
    for (variable, value, expected) in [
        ("WCL_CALL_BUDGET", "0", "error: WCL_CALL_BUDGET: '0' cannot be used: a call costs more than 0 points"),
        ("CONCURRENCY_LIMIT", "many", "error: CONCURRENCY_LIMIT: 'many' cannot be used: "),
        ("BUDGET_STRATEGY", "best", "error: BUDGET_STRATEGY: 'best' cannot be used: it is one of ledger, worst-case"),
        ("WCL_TAIL", "quantile:0.9995", "error: WCL_TAIL: 'quantile:0.9995' cannot be used: it is strict, probe, or"),
        ("WCL_CALL_TIMEOUT_SECONDS", "60", "error: WCL_CALL_TIMEOUT_SECONDS: '60' cannot be used: it is from 1 to 45"),
        ("LAMBDA_TO_REVIVE", "player-rank", "error: LAMBDA_TO_REVIVE: 'player-rank' cannot be used: the queue of"),
        (
            "LUA_REPOSITORY",
            "ftp://you:hunter2@x/a",
            "error: LUA_REPOSITORY: 'ftp://' is no address that git takes; it takes",
        ),
        (
            "LUA_FIELDS",
            "median,allstars",
            "error: LUA_FIELDS: 'allstars' cannot be used: it is one of median, kills, spec, all-stars, boss-all-stars, score",
        ),
        ("LUA_BRANCH", "a..b", "error: LUA_BRANCH: 'a..b' cannot be used: git takes no branch of this name"),
        ("GIT_AUTHOR_NAME", "<", "error: GIT_AUTHOR_NAME: '<' cannot be used: git takes no author"),
        ("STINT_LOG", "a=b=c", "error: STINT_LOG: "),
    ] {
        let program = Program::new().with(variable, value);
        std::fs::create_dir(program.home()).unwrap();
        let ran = program.run(&["status"]);
        assert!(ran.code != 0 && ran.stderr.starts_with(expected), "{ran:?}");
    }
}

#[test]
fn conflicting_settings_stop_their_own_fleet() {
    let error = |worker: &str| {
        let program = Program::new().with("WCL_VISIBILITY_SECONDS", "30").with("WCL_KEYS", "id:secret");
        program.fail(&["run", worker])
    };
    let refused = error("warcraftlogs/reviver");
    assert!(refused.starts_with("error: WCL_VISIBILITY_SECONDS: 30 s are over while a call is under way"), "{refused}");
    let other = error("poe/watcher");
    assert!(other.starts_with("error: POE_CLIENT_ID is not set"), "{other}");
}

#[test]
fn a_malformed_setting_of_a_fleet_stops_no_other() {
    let program = Program::new().with("CONCURRENCY_LIMIT", "many").with("POE_CONTACT", "you@example.org");
    program.succeed(&["throttle", "pause", "poe/watcher"]);
    program.succeed(&["throttle", "show", "poe/watcher"]);
    program.succeed(&["queue", "purge", "poe-chain", "--yes"]);
    assert!(program.fail(&["status", "poe"]).starts_with("error: poe-stashes was never started here"));
    for arguments in [
        &["up", "poe"][..],
        &["up", "poe-stashes", "--wcl-api-url", "no url"],
        &["run", "poe/watcher"],
        &["run", "poe/watcher", "--concurrency-limit", "many"],
    ] {
        let error = program.fail(arguments);
        assert!(error.starts_with("error: POE_CLIENT_ID is not set"), "{arguments:?}: {error}");
    }
    for arguments in [&["up"][..], &["up", "wcl"], &["up", "poe", "wcl"], &["run", "wcl/reviver"]] {
        let ran = program.run(arguments);
        assert!(ran.code == 2 && ran.stderr.contains("'many'") && ran.stderr.contains("CONCURRENCY_LIMIT"), "{ran:?}");
    }
    let program = Program::new().with("POE_REALM", "moon");
    assert!(program.fail(&["up", "wcl"]).starts_with("error: WCL_KEYS is not set"));
}

#[test]
fn invalid_publication_settings_stop_the_start() {
    for (variable, value, expected) in [
        ("LUA_REPOSITORY", "absent.git", "LUA_REPOSITORY: there is no git repository at absent.git; create one with"),
        ("GIT_TOKEN", "hunter 2", "GIT_TOKEN: it is empty, or has a blank or a line break in it"),
        ("GIT_SSH_KEY", "absent", "GIT_SSH_KEY: absent cannot be read: "),
    ] {
        for arguments in [&["up"][..], &["run", "wcl/reviver"], &["wcl", "publish"]] {
            let program = Program::new().with("WCL_KEYS", "id:secret").with(variable, value);
            let error = program.fail(arguments);
            assert!(error.contains(expected) && !error.contains("hunter"), "{arguments:?}: {error}");
        }
    }
}

#[test]
fn a_malformed_key_is_refused_without_being_shown() {
    for keys in ["hunter2", "good:fine,hunter2", ":hunter2", "hunter2:"] {
        for arguments in [&["status"][..], &["up"], &["run", "wcl/reviver"]] {
            let program = Program::new().with("WCL_KEYS", keys);
            std::fs::create_dir(program.home()).unwrap();
            let ran = program.run(arguments);
            assert!(ran.code != 0 && ran.stderr.contains("WCL_KEYS: a key is written as id:secret"), "{ran:?}");
            assert!(!ran.stderr.contains("hunter2") && !ran.stderr.contains("fine"), "{ran:?}");
        }
    }
}

#[test]
fn help_shows_no_secret() {
    let program = Program::new()
        .with("WCL_KEYS", "id:hunter2")
        .with("GIT_TOKEN", "hunter2")
        .with("POE_CLIENT_SECRET", "hunter2")
        .with("LUA_REPOSITORY", "https://you:hunter2@example.org/databases.git")
        .with("MONGODB_URI", "mongodb://you:hunter2@example.org/stint")
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", "https://you:hunter2@example.org")
        .with("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hunter2");
    for arguments in [&["--help"][..], &["up", "--help"], &["run", "--help"], &["describe"], &["describe", "--json"]] {
        assert!(!program.succeed(arguments).contains("hunter2"), "{arguments:?}");
    }
}

#[test]
fn control_characters_are_never_printed() {
    let hostile = "\u{1b}]0;owned\u{7}\u{202e}gnp";
    let program = Program::new();
    let ran = program.run(&["wcl", "lookup", "databases", "EU", hostile, "realm"]);
    assert!(ran.code == 1 && ran.stderr.starts_with("error: "), "{ran:?}");
    let event = program.write("event.json", &format!(r#"{{"id":7,"name":"{}"}}"#, "\\u001b[2J"));
    let ran_by_hand = program.run(&["run", "wcl/rank-fetcher", "--event", text(&event)]);
    for printed in [ran.stderr, ran_by_hand.stdout, ran_by_hand.stderr] {
        assert!(!printed.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{printed:?}");
    }
}
