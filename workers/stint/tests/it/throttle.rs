//! `stint throttle`.

use crate::program::Program;

#[test]
fn throttles_are_set_paused_and_shown() {
    let program = Program::new();
    assert_eq!(program.succeed(&["throttle", "set", "rank-fetcher", "8"]), "rank-fetcher runs 8 at once\n");
    program.succeed(&["throttle", "pause", "discover"]);
    insta::assert_snapshot!(program.redact(&program.succeed(&["throttle"])));
    let shown = program.json(&["throttle", "show"]);
    assert_eq!(shown["workers"][0]["effective"], 0);
    assert_eq!(shown["workers"][2]["set"], 8);
    assert_eq!(program.succeed(&["throttle", "resume", "discover"]), "discover runs 1 at once\n");
}

/// On AWS a throttle is an event source mapping, which discovery may not change.
#[test]
fn only_workers_that_plan_the_budget_set_a_throttle() {
    let program = Program::new().with("WCL_KEYS", "key-1:secret");
    // Nothing listens there.
    let program = program.with("WCL_API_URL", "http://127.0.0.1:1/").with("WCL_TOKEN_URL", "http://127.0.0.1:1/");
    let set = || program.json(&["throttle", "show"])["workers"][2]["set"].clone();
    program.run(&["run", "warcraftlogs", "discover"]);
    assert_eq!(set(), serde_json::Value::Null);
    program.run(&["run", "warcraftlogs", "reviver"]);
    // The number itself is another matter: the API cannot be reached.
    assert!(set().is_u64());
}

#[test]
fn an_unknown_worker_is_answered_with_the_known_ones() {
    let ran = Program::new().run(&["throttle", "pause", "rank-fetch"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("there are discover, aggregator, rank-fetcher, refresher, reviver, db-generator"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_number_for_a_worker_by_schedule_is_answered_with_what_helps() {
    let ran = Program::new().run(&["throttle", "set", "discover", "0"]);
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains("warning: ") && ran.stderr.contains("pause it"), "{}", ran.stderr);
}
