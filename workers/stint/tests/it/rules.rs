//! Tests of `stint wcl rules`.

use crate::home_fixture::{HomeFixture, block_on};
use crate::program::{Program, filters};

const ADD: [&str; 7] = ["wcl", "rules", "add", "--raid", "26", "--end-page", "600"];

fn add(difficulty: &'static str) -> Vec<&'static str> {
    [&ADD[..], &["--difficulty", difficulty]].concat()
}

#[test]
fn rules_are_added_by_name_and_number_and_listed() {
    let program = Program::new();
    let _filters = filters();
    insta::assert_snapshot!(program.succeed(&add("heroic,5,mythic")), @"
    added [id]: Castle Nathria (26), heroic, pages 1 to 600
    added [id]: Castle Nathria (26), mythic, pages 1 to 600
    `stint up` discovers their players; `stint status` shows the progress
    ");
    insta::assert_snapshot!(program.redact(&program.succeed(&["wcl", "rules", "list"])));
    let listed = program.json(&["wcl", "rules", "list", "--max", "1"]);
    assert_eq!((listed["total"].as_u64(), listed["rules"].as_array().unwrap().len()), (Some(2), 1));
    assert_eq!(listed["rules"][0]["state"], "due");
}

/// If the fleet was never started, no worker is woken, and `stint status` says so.
#[test]
fn a_new_rule_of_a_running_fleet_is_read_at_once() {
    let program = Program::new();
    program.succeed(&add("heroic"));
    block_on(async {
        let fixture = HomeFixture::open(&program.home());
        assert_eq!(fixture.woken().await, [] as [&str; 0]);
        fixture.schedules().await;
    });
    program.succeed(&add("mythic"));
    let woken = || block_on(async { HomeFixture::open(&program.home()).woken().await });
    assert!(woken().contains(&"discover".to_owned()), "{:?}", woken());
    assert!(!woken().contains(&"aggregator".to_owned()), "{:?}", woken());
    program.succeed(&["wcl", "rules", "remove", "--all", "--yes"]);
    assert!(woken().contains(&"aggregator".to_owned()), "it may have waited for the rules: {:?}", woken());
}

#[test]
fn every_state_is_shown() {
    let program = Program::new();
    block_on(async { HomeFixture::open(&program.home()).rules().await });
    let _filters = filters();
    insta::assert_snapshot!(program.redact(&program.succeed(&["wcl", "rules", "list"])));
}

#[test]
fn pages_that_another_rule_reads_are_refused() {
    let program = Program::new();
    program.succeed(&add("normal"));
    let _filters = filters();
    insta::assert_snapshot!(program.fail(&add("heroic,normal")), @"error: Castle Nathria (26) in normal already has the rule [id] for pages 1 to 600; nothing was added. Remove it first with `stint wcl rules remove [id]`, or choose other pages");
    assert_eq!(program.json(&["wcl", "rules", "list"])["total"], 1);
}

#[test]
fn a_rule_has_options() {
    let program = Program::new();
    let _filters = filters();
    let options = ["--metric", "hps", "--partition", "-1", "--size", "25", "--region", "eu", "--server", "Tarren-Mill"];
    let added = program.succeed(&[&add("heroic")[..], &options].concat());
    insta::assert_snapshot!(added, @"
    added [id]: Castle Nathria (26), heroic, pages 1 to 600 of hps, partition -1, size 25, EU tarren-mill
    `stint up` discovers their players; `stint status` shows the progress
    ");
    let listed = program.json(&["wcl", "rules", "list"]);
    let rule = &listed["rules"][0];
    let shown = ["partition", "size", "metric", "region", "server", "guild"].map(|field| rule[field].clone());
    assert_eq!(
        shown,
        [(-1).into(), 25.into(), "hps".into(), "EU".into(), "tarren-mill".into(), serde_json::Value::Null]
    );
    assert!(program.succeed(&["wcl", "rules", "list"]).contains("1-600 of hps, partition -1, size 25, EU tarren-mill"));
    // Other pages of the same ranking, with the same options for ranks.
    program.succeed(&[&add("heroic")[..], &["--metric", "hps", "--region", "US"]].concat());
    let conflict = program.fail(&[&add("heroic")[..], &["--partition", "2", "--region", "KR"]].concat());
    insta::assert_snapshot!(conflict, @"error: --partition: ranks of Castle Nathria (26) in heroic are requested with partition -1 by the rule [id], and can be requested in one way only; nothing was added. Use -1 instead of 2, or remove that rule first with `stint wcl rules remove [id]`");
    assert_eq!(program.json(&["wcl", "rules", "list"])["total"], 2);
}

#[test]
fn impossible_options_are_named() {
    let program = Program::new();
    for (options, code, expected) in [
        (vec!["--partition", "0"], 2, "0 is none; partitions are counted from 1"),
        (vec!["--size", "41"], 2, "no group has 41 players"),
        (vec!["--metric", "HPS"], 2, "[possible values: default, dps, hps"),
        (vec!["--region", "Mars"], 2, "there are US, EU"),
        (vec!["--server", "kazzak"], 2, "--region <REGION>"),
        (vec!["--guild", "Echo", "--region", "EU"], 2, "--server <SERVER>"),
        (vec!["--region", "EU", "--server", "Tarren Mill"], 1, "server: 'tarren mill' is no slug"),
        (vec!["--guild", "Echo", "--region", "EU", "--server", "kazzak"], 1, "set DISCOVERY_SOURCE=reports"),
    ] {
        let ran = program.run(&[&add("heroic")[..], &options].concat());
        assert!(ran.code == code && ran.stderr.contains(expected), "{options:?}: {ran:?}");
    }
    assert!(!program.home().exists());
    let reports = Program::new().with("DISCOVERY_SOURCE", "reports");
    let guild = ["--guild", "Écho", "--region", "EU", "--server", "kazzak"];
    assert!(reports.succeed(&[&add("heroic")[..], &guild].concat()).contains("of EU kazzak, guild Écho"));
}

#[test]
fn malformed_rules_name_the_option() {
    let program = Program::new();
    for (difficulty, more, expected) in [
        ("easy", vec![], "there is no such difficulty; there are lfr (1)"),
        (
            "flex",
            vec![],
            "--difficulty: Castle Nathria (26) has no flex difficulty; it has lfr, normal, heroic, mythic",
        ),
        ("normal,dungeon", vec![], "Castle Nathria (26) has no dungeon difficulty"),
        ("normal", vec!["--start-page", "0"], "--start-page"),
        ("normal", vec!["--start-page", "4000000000"], "4000000000 is not in 1..=100000"),
        ("normal", vec!["--start-page", "601"], "--end-page 600 comes before --start-page 601"),
    ] {
        let ran = program.run(&[add(difficulty), more].concat());
        assert!(ran.code == 2 && ran.stderr.contains(expected), "{ran:?}");
    }
    assert!(!program.home().exists());
}

#[test]
fn removing_all_requires_a_yes() {
    let program = Program::new();
    program.succeed(&add("normal,heroic"));
    let refused = program.fail(&["wcl", "rules", "remove", "--all"]);
    assert!(refused.contains("2 rules") && refused.contains("--yes"), "{refused}");
    assert!(program.fail(&["wcl", "rules", "remove", "638190fc00bc58421e002c83"]).contains("`stint wcl rules list`"));
    let id = program.json(&["wcl", "rules", "list"])["rules"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(program.succeed(&["wcl", "rules", "remove", &id]), "removed 1 rule\n");
    assert_eq!(program.json(&["wcl", "rules", "remove", "--all", "--yes"])["removed"], 1);
    assert!(program.succeed(&["wcl", "rules", "list"]).starts_with("there are no discovery rules"));
}

#[test]
fn an_implausible_rule_is_shown_with_its_page_and_accepted() {
    let program = Program::new();
    let id = block_on(async { HomeFixture::open(&program.home()).doubted().await });
    let listed = program.run(&["wcl", "rules", "list"]);
    assert!(listed.stdout.contains("resting until") && listed.stdout.contains("names no player"), "{listed:?}");
    let hint = format!(
        "see the page with `stint wcl rules sample {id}`, and if it is correct, run `stint wcl rules accept {id}`"
    );
    assert!(listed.stderr.contains(&hint), "{listed:?}");
    assert!(program.succeed(&["status"]).contains(&hint));
    let sample = program.succeed(&["wcl", "rules", "sample", &id]);
    assert!(
        sample.contains("<tr id=\"line-1\">\\u001b[2J</table>") && sample.starts_with("page 1, the first"),
        "{sample:?}"
    );
    assert!(program.fail(&["wcl", "rules", "sample", "638190fc00bc58421e002c83"]).contains("there is no rule"));
    assert_eq!(
        program.succeed(&["wcl", "rules", "accept", &id]),
        format!("accepted {id}: the next discovery accepts its pages as they are\n")
    );
    let rule = program.json(&["wcl", "rules", "list"])["rules"][0].clone();
    assert_eq!(
        (&rule["accepted"], &rule["resting_because"]),
        (&true.into(), &"the site refused the request: status 403 for page 1".into())
    );
}

#[test]
fn an_upstream_that_rejected_discovery_is_shown_and_resumed() {
    let program = Program::new();
    let id = block_on(async { HomeFixture::open(&program.home()).doubted().await });
    program.succeed(&["wcl", "rules", "accept", &id]);
    let paused = "www.warcraftlogs.com/zone/rankings is paused until";
    assert!(program.succeed(&["wcl", "rules", "list"]).contains(paused));
    assert!(program.succeed(&["status"]).contains(paused));
    assert_eq!(program.json(&["status"])["fleets"][0]["resting"][0]["upstream"], "www.warcraftlogs.com/zone/rankings");
    assert!(program.fail(&["wcl", "rules", "accept", "638190fc00bc58421e002c83"]).contains("there is no rule"));
    assert!(program.fail(&["wcl", "rules", "resume", "nothing"]).contains("is not paused"));
    let resume = ["wcl", "rules", "resume", "www.warcraftlogs.com/zone/rankings"];
    assert!(program.succeed(&resume).contains("the next discovery requests pages of"));
    let rule = program.json(&["wcl", "rules", "list"])["rules"][0].clone();
    assert_eq!((&rule["state"], &rule["accepted"]), (&"due".into(), &true.into()));
}
