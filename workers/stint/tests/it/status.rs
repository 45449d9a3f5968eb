//! Tests of `stint status`.

use crate::home_fixture::{HomeFixture, block_on};
use crate::program::{Program, filters};

fn prepared() -> Program {
    let program = Program::new();
    block_on(async {
        let fixture = HomeFixture::open(&program.home());
        fixture.rules().await;
        fixture.players().await;
        fixture.keys().await;
        fixture.schedules().await;
    });
    program
}

#[test]
fn a_missing_folder_is_an_error_and_is_not_created() {
    let program = Program::new();
    insta::assert_snapshot!(program.fail(&["status"]), @"error: there is no folder [folder]/home: start with `stint wcl rules add --help` and `stint up`, or select another folder with --home or STINT_HOME");
    assert!(!program.home().exists());
}

#[test]
fn an_empty_folder_shows_how_to_start_and_stays_empty() {
    let program = Program::new();
    std::fs::create_dir(program.home()).unwrap();
    let _filters = filters();
    insta::assert_snapshot!(program.redact(&program.succeed(&["status"])));
    assert_eq!(std::fs::read_dir(program.home()).unwrap().count(), 0);
}

#[test]
fn a_running_fleet_shows_what_runs_and_what_waits() {
    let program = prepared();
    let _filters = filters();
    insta::assert_snapshot!(program.redact(&program.succeed(&["status"])));
}

#[test]
fn json_has_the_same_in_numbers() {
    let status = prepared().json(&["status"]);
    let fleet = &status["fleets"][0];
    assert_eq!(fleet["rules"]["total"], 4);
    assert_eq!((&fleet["rules"]["running"], &fleet["rules"]["resting"]), (&1.into(), &1.into()));
    assert_eq!(fleet["rules"]["shown"][0]["pages_read"], 120);
    assert_eq!(fleet["queues"][0]["dead"], 1);
    assert_eq!(fleet["queues"][0]["parked"], 1);
    assert_eq!(fleet["players"]["ranked"], 1);
    assert_eq!((&fleet["keys"][0]["free"], &fleet["keys"][0]["reserved"]), (&0.0.into(), &3.0.into()));
    assert_eq!(fleet["keys"][1]["limit"], serde_json::Value::Null);
    assert_eq!(fleet["workers"].as_array().unwrap().len(), 6);
}

#[test]
fn a_paused_worker_shows_how_to_resume_it() {
    let program = prepared();
    program.succeed(&["throttle", "pause", "wcl/rank-fetcher"]);
    assert!(program.succeed(&["status"]).contains("`stint throttle resume wcl/rank-fetcher` resumes it"));
}
