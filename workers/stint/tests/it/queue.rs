//! Tests of `stint queue`.

use crate::home_fixture::{HomeFixture, block_on};
use crate::program::{Program, filters};

fn prepared() -> Program {
    let program = Program::new();
    block_on(async { HomeFixture::open(&program.home()).players().await });
    program
}

#[test]
fn queues_are_listed_and_peeked() {
    let program = prepared();
    let _filters = filters();
    insta::assert_snapshot!("list", program.redact(&program.succeed(&["queue", "list"])));
    insta::assert_snapshot!("peek", program.redact(&program.succeed(&["queue", "peek"])));
    insta::assert_snapshot!("peek_dead", program.redact(&program.succeed(&["queue", "peek", "--dead"])));
    let peeked = program.json(&["queue", "peek", "wcl-discovered-players", "--dead"]);
    assert!(peeked["dead_letters"][0]["reason"].as_str().unwrap().starts_with("field id: 0"));
}

#[test]
fn dead_letters_go_back() {
    let program = prepared();
    let would = program.succeed(&["queue", "redrive", "--dry-run"]);
    assert_eq!(would, "would send 1 dead letter back to wcl-discovered-players\n");
    assert_eq!(program.json(&["queue", "redrive"])["redriven"], 1);
    assert_eq!(program.json(&["queue", "list"])["queues"][0]["visible"], 2);
}

#[test]
fn a_redrive_that_finds_nothing_names_the_queues_with_dead_letters() {
    let program = Program::new();
    block_on(async { HomeFixture::open(&program.home()).dead_letter("poe-stored-pages").await });
    let hint = "poe-stored-pages has dead letters: `stint queue redrive poe-stored-pages`\n";
    for (option, verb) in [(&["--dry-run"][..], "would send"), (&[], "sent")] {
        let printed = program.succeed(&[&["queue", "redrive"], option].concat());
        assert_eq!(printed, format!("{verb} 0 dead letters back to wcl-discovered-players\n{hint}"));
    }
    assert_eq!(program.json(&["queue", "redrive"])["elsewhere"], serde_json::json!(["poe-stored-pages"]));
    let named = program.succeed(&["queue", "redrive", "wcl-refresh-players"]);
    assert_eq!(named, "sent 0 dead letters back to wcl-refresh-players\n", "this queue was meant");
}

#[test]
fn purging_requires_a_yes_and_reports_the_number() {
    let program = prepared();
    let _filters = filters();
    insta::assert_snapshot!(program.fail(&["queue", "purge"]), @"error: this would permanently delete 1 dead letter of wcl-discovered-players: add --yes to confirm, or look first with `stint queue peek --dead`; nothing was deleted");
    let would = program.succeed(&["queue", "purge", "--all", "--dry-run"]);
    assert_eq!(would, "would delete 2 messages of wcl-discovered-players\n");
    assert_eq!(program.json(&["queue", "purge", "--dead", "--yes"])["deleted"], 1);
    assert_eq!(program.json(&["queue", "purge", "--all", "--yes"])["deleted"], 1);
    assert_eq!(program.succeed(&["queue", "peek"]), "wcl-discovered-players has no messages\n");
}

#[test]
fn an_unknown_queue_is_an_error_that_names_the_known_one() {
    let error = prepared().fail(&["queue", "peek", "players"]);
    let known = "wcl-discovered-players, wcl-refresh-players, poe-chain, poe-stored-pages";
    assert_eq!(error, format!("error: there is no queue 'players'; there are: {known}\n"));
}

#[test]
fn players_whose_messages_were_purged_are_due_again() {
    let program = Program::new();
    block_on(async { HomeFixture::open(&program.home()).one_waits().await });
    let discovers = || program.json(&["status"])["fleets"][0]["discovers"].clone();
    program.succeed(&["queue", "purge", "--dead", "--yes"]);
    assert_eq!((&discovers()["due"], &discovers()["waiting"]), (&1.into(), &1.into()));
    program.succeed(&["queue", "purge", "--all", "--yes"]);
    assert_eq!((&discovers()["due"], &discovers()["waiting"]), (&2.into(), &0.into()));
}
