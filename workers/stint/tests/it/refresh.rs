//! Tests of `stint wcl refresh`.

use serde_json::{Value, json};

use crate::home_fixture::{HomeFixture, block_on};
use crate::program::{Program, filters};

const BY_NAME: [&str; 8] = ["wcl", "refresh", "--name", "Ånn", "--server", "Tarren Mill", "--region", "eu"];
const HEROIC: [&str; 4] = ["--raid", "26", "--difficulty", "heroic"];

/// Prepares a fleet that has run. The only key that was ever read has three points left.
fn prepared(program: Program) -> Program {
    block_on(async {
        let fixture = HomeFixture::open(&program.home());
        fixture.rules().await;
        fixture.players().await;
        fixture.keys().await;
        fixture.schedules().await;
        fixture.host().await;
    });
    program
}

/// Returns the bodies of the waiting messages.
fn queued(program: &Program) -> Vec<Value> {
    let peeked = program.json(&["queue", "peek", "wcl-refresh-players"]);
    let bodies = peeked["messages"].as_array().unwrap().iter();
    bodies.map(|message| serde_json::from_str(message["body"].as_str().unwrap()).unwrap()).collect()
}

#[test]
fn a_stored_player_is_queued_by_its_id_for_all_that_is_known_of_it() {
    let program = prepared(Program::new());
    let _filters = filters();
    insta::assert_snapshot!(program.redact(&program.succeed(&BY_NAME)), @"
    queued ahead of the backlog: Ånn of Tarren Mill (EU), player 57147396
      Castle Nathria (26): normal, heroic
      Sanctum of Domination (28): heroic
      Sepulcher of the First Ones (29): mythic
      raid 99: mythic
    waits for key-1: 5 points needed, 3 free, resets [time] (in …)
    ");
    let raids = json!({"26": [3, 4], "28": [4], "29": [5], "99": [5]});
    assert_eq!(queued(&program), [json!({"id": 57147396, "raidsToScrap": raids})]);
    insta::assert_snapshot!(program.redact(&program.succeed(&["queue", "list"])), @"
    QUEUE  VISIBLE  IN FLIGHT  DELAYED  DEAD LETTERS  PARKED FOR POINTS
    wcl-discovered-players  1  0  0  1  1
    wcl-refresh-players  1  0  0  0  0
    ");
    let status = program.json(&["status"]);
    assert_eq!(status["fleets"][0]["queues"][1]["visible"], 1);
    assert_eq!(status["fleets"][0]["workers"][3]["worker"], "refresher");
}

#[test]
fn a_player_who_is_not_stored_is_queued_by_name() {
    let program = prepared(Program::new());
    let stranger = ["wcl", "refresh", "--name", "Tóm", "--server", "Mal'Ganis", "--region", "US"];
    let refreshed = program.json(&[&stranger[..], &HEROIC].concat());
    assert_eq!((&refreshed["id"], &refreshed["player"]["server"]), (&Value::Null, &json!("malganis")));
    let expected = json!({"name": "Tóm", "server": "malganis", "region": "US", "raidsToScrap": {"26": [4]}});
    assert_eq!(queued(&program), [expected]);
}

#[test]
fn the_forecast_is_printed() {
    let program = prepared(Program::new().with("WCL_CALL_BUDGET", "2"));
    let refresh = [&["wcl", "refresh", "--id", "7"][..], &HEROIC].concat();
    let _filters = filters();
    insta::assert_snapshot!(program.succeed(&refresh), @"
    queued ahead of the backlog: player 7
      Castle Nathria (26): heroic
    3 points are free for it now
    ");
    assert_eq!(program.json(&refresh)["points_free"], 3.0);
    program.succeed(&["throttle", "pause", "wcl/refresher"]);
    assert!(
        program
            .succeed(&refresh)
            .ends_with("paused by an operator; `stint throttle resume wcl/refresher` resumes it\n")
    );
    let dry = prepared(Program::new()).json(&refresh)["waits_for"].as_str().unwrap().to_owned();
    assert!(dry.starts_with("waits for key-1: 5 points needed, 3 free, resets "), "{dry}");
    let fresh = Program::new();
    block_on(async { HomeFixture::open(&fresh.home()).players().await });
    assert!(fresh.succeed(&refresh).ends_with("the fleet was never started here; start it: stint up\n"));
}

#[test]
fn a_fleet_that_no_process_runs_is_reported() {
    let program = Program::new();
    block_on(async {
        let fixture = HomeFixture::open(&program.home());
        fixture.players().await;
        fixture.schedules().await;
    });
    let refresh = [&["wcl", "refresh", "--id", "7"][..], &HEROIC].concat();
    assert!(program.succeed(&refresh).ends_with("no process runs the fleet here now; start it: stint up\n"));
    let waited = program.fail(&[&refresh[..], &["--wait"]].concat());
    assert!(waited.contains("player 7 is queued, but no process runs the fleet here now"), "{waited}");
}

#[test]
fn missing_rules_and_arguments_are_named() {
    let program = Program::new();
    block_on(async { HomeFixture::open(&program.home()).players().await });
    insta::assert_snapshot!(program.fail(&["wcl", "refresh", "--id", "7"]), @"error: there are no discovery rules, and nothing is stored of player 7, so it is unknown which raids to fetch; nothing was queued. Name them with --raid 26 --difficulty heroic, or add a rule: `stint wcl rules add --help`");
    for (arguments, expected) in [
        (&["wcl", "refresh"][..], "<--id <ID>|--name <NAME>>"),
        (&["wcl", "refresh", "--id", "7", "--name", "Ånn"], "--name <NAME>"),
        (&["wcl", "refresh", "--id", "7", "--region", "EU"], "--region"),
        (&["wcl", "refresh", "--id", "0"], "--id"),
        (&["wcl", "refresh", "--name", "Ånn"], "--server <SERVER>"),
        (&["wcl", "refresh", "--name", "Ånn", "--server", "kazzak"], "--region <REGION>"),
        (
            &["wcl", "refresh", "--name", "Ånn", "--server", "kazzak", "--region", "Mars"],
            "there are US, EU, KR, TW, CN",
        ),
        (&["wcl", "refresh", "--name", "A\u{7}", "--server", "kazzak", "--region", "EU"], "--name: it has a control"),
        (&["wcl", "refresh", "--id", "7", "--raid", "26"], "--difficulty"),
    ] {
        let ran = program.run(arguments);
        assert!(ran.code == 2 && ran.stderr.contains(expected), "{arguments:?}: {ran:?}");
    }
    assert!(queued(&program).is_empty());
}

#[test]
fn dead_letters_of_refreshes_go_back_too() {
    let program = prepared(Program::new());
    program.succeed(&BY_NAME);
    assert_eq!(program.json(&["queue", "redrive", "wcl-refresh-players"])["redriven"], 0);
    assert_eq!(program.json(&["queue", "purge", "wcl-refresh-players", "--all", "--yes"])["deleted"], 1);
    assert_eq!(program.json(&["queue", "list"])["queues"][0]["visible"], 1, "the backlog is as it was");
}
