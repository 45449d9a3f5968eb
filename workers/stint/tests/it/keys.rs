//! Tests of `stint wcl keys`.

use crate::home_fixture::{HomeFixture, block_on};
use crate::program::{Program, filters};

fn prepared() -> Program {
    let program = Program::new();
    block_on(async { HomeFixture::open(&program.home()).keys().await });
    program
}

#[test]
fn keys_and_windows_are_listed() {
    let program = prepared();
    let _filters = filters();
    insta::assert_snapshot!(program.redact(&program.succeed(&["wcl", "keys", "--windows", "5"])));
}

#[test]
fn json_has_points_expired_unspent() {
    let listed = prepared().json(&["wcl", "keys", "--windows", "5"]);
    assert_eq!(listed["windows"]["total"]["expired"], 1000.0);
    assert_eq!(listed["windows"]["windows"][0]["key"], "key-1");
    assert_eq!(listed["keys"][0]["state"], "open");
    assert!(listed["keys"][0]["resets_in_seconds"].as_u64().unwrap() > 3000);
}

#[test]
fn a_key_is_paused_and_resumed() {
    let program = prepared();
    assert!(program.succeed(&["wcl", "keys", "pause", "key-1", "--for", "2h"]).starts_with("key-1 is paused until "));
    assert_eq!(program.json(&["wcl", "keys"])["keys"][0]["state"], "paused");
    assert_eq!(program.succeed(&["wcl", "keys", "resume", "key-1"]), "key-1 is in use again\n");
    assert_eq!(program.json(&["wcl", "keys"])["keys"][0]["state"], "open");
}

#[test]
fn a_refused_key_is_shown_as_refused_until_it_is_resumed() {
    let program = Program::new();
    block_on(async {
        let fixture = HomeFixture::open(&program.home());
        fixture.players().await;
        fixture.keys().await;
        fixture.refuse_key().await;
    });
    let listed = program.json(&["wcl", "keys"]);
    assert_eq!((&listed["keys"][0]["state"], &listed["keys"][0]["refusal"]), (&"paused".into(), &"credentials".into()));
    let listed = program.succeed(&["wcl", "keys"]);
    assert!(listed.contains("refused until ") && listed.contains(": check its id and secret"), "{listed}");
    let status = program.json(&["status"]).to_string();
    assert!(status.contains("refused until ") && !status.contains("free, resets"), "{status}");
    assert!(status.contains("the upstream does not accept key-1"), "{status}");
    program.succeed(&["wcl", "keys", "resume", "key-1"]);
    let key = &program.json(&["wcl", "keys"])["keys"][0];
    assert_eq!((&key["state"], key.get("refusal")), (&"open".into(), None));
    let woken = block_on(async { HomeFixture::open(&program.home()).revival().await });
    assert!(woken.is_some(), "the reviver, which waits for the end of the pause, is woken");
}

#[test]
fn requests_that_make_no_sense_are_errors() {
    let program = prepared();
    insta::assert_snapshot!(program.fail(&["wcl", "keys", "resume", "key-9"]), @"error: there is no key 'key-9'; there are: key-2, key-1");
    assert!(
        program.fail(&["wcl", "keys", "pause", "key-1", "--until", "2020-01-01T00:00:00Z"]).contains("in the past")
    );
    let ran = program.run(&["wcl", "keys", "pause", "key-1", "--for", "soon"]);
    assert!(ran.code == 2 && ran.stderr.contains("such as 90s, 2h 30m or 1d"), "{ran:?}");
    let ran = program.run(&["wcl", "keys", "pause", "key-1"]);
    assert!(ran.code == 2 && ran.stderr.contains("--until <TIME>|--for <DURATION>"), "{ran:?}");
}
