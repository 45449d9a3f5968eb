//! Tests of the demo as a user runs it, with the real binary.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use serde_json::Value;
use stint_core::clock::Clock;
use stint_embedded::{Embedded, Mode};
use stint_host::SystemClock;

use crate::lambda_fleet::run as run_async;
use crate::up::Up;

fn stint(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stint"));
    command.env_clear().current_dir(folder).stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// These arguments and these fields are promised to users.
#[test]
fn three_thousand_players_are_all_accounted_for() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(stint(folder.path()).args(["demo", "--players", "3000", "--seed", "41", "--json"]));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let count = |group: &str, name: &str| report[group][name].as_f64().unwrap();
    assert_eq!(count("players", "discovered"), 3000.0);
    assert_eq!(count("players", "discovered"), count("players", "ranked") + count("players", "dropped"));
    assert_eq!(count("players", "lost"), 0.0);
    assert_eq!(count("budget", "overspent"), 0.0);
    assert_eq!(count("budget", "refused_calls"), 0.0);
    assert_eq!(count("queue", "dead_letters"), 0.0);
    assert!(count("budget", "spent") > 0.0);
    let databases = report["databases"].as_array().unwrap();
    let written: f64 = databases.iter().map(|database| database["players"].as_f64().unwrap()).sum();
    every_player_reads_back(folder.path(), written as usize);
    the_printed_command_can_be_pasted(folder.path(), &String::from_utf8_lossy(&output.stderr));
}

/// Runs the lookup that the demo printed, in a shell and without `stint` on PATH.
fn the_printed_command_can_be_pasted(folder: &Path, printed: &str) {
    let command = printed.lines().find(|line| line.contains(" wcl lookup ")).expect(printed);
    let found = run(Command::new("/bin/sh").args(["-c", command.trim()]).env_clear().current_dir(folder)).stdout;
    assert!(String::from_utf8_lossy(&found).contains(", updated "), "{command}: {}", String::from_utf8_lossy(&found));
}

/// Looks up every stored player in the Lua files with Lua 5.1 itself.
fn every_player_reads_back(folder: &Path, written: usize) {
    let export = ["data", "export", "wcl", "players", "-", "--home", "stint-demo"];
    let exported = run(stint(folder).args(export)).stdout;
    let mut script = String::from("dofile('stint-demo/databases/Stint/Stint.lua')\n");
    for region in ["CN", "EU", "KR", "TW", "US"] {
        let database = format!("stint-demo/databases/Stint_{region}/Stint_{region}.lua");
        if folder.join(&database).exists() {
            script.push_str(&format!("dofile('{database}')\n"));
        }
    }
    let mut homes: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in String::from_utf8(exported).unwrap().lines() {
        let player: Value = serde_json::from_str(line).unwrap();
        let home = format!("{} {} {}", player["region"], player["server"]["normalizedName"], player["name"]);
        homes.entry(home).or_default().push(player);
    }
    assert_eq!(homes.len(), written, "players in the files");
    // The stand-in draws a few names twice on one server. Such players share an entry, which holds the newer one.
    let alone: Vec<&Value> = homes.values().filter(|players| players.len() == 1).map(|players| &players[0]).collect();
    alone.iter().for_each(|player| script.push_str(&check(player)));
    // Each lookup starts a process, which is slow, so only every hundredth player is looked up, over all regions.
    alone.iter().step_by(100).for_each(|player| looks_up(folder, player));
    script.push_str("print('all read back')\n");
    std::fs::write(folder.join("check.lua"), script).unwrap();
    let mut lua = Command::new("lua5.1");
    let output = lua.arg("check.lua").current_dir(folder).output();
    let output = output.expect("lua5.1 is missing: run scripts/test, or apt-get install lua5.1");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "all read back\n");
}

/// Looks up one player through `stint wcl lookup`.
fn looks_up(folder: &Path, player: &Value) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (region, server, name) = (text(&player["region"]), text(&player["server"]["name"]), text(&player["name"]));
    let arguments = ["wcl", "lookup", "stint-demo/databases", &region, &server, &name, "--json"];
    let found: Value = serde_json::from_slice(&run(stint(folder).args(arguments)).stdout).unwrap();
    assert_eq!(found["classId"], player["classId"], "{found}");
    for (raid, difficulties) in player["raids"].as_object().unwrap() {
        for (difficulty, ranks) in difficulties.as_object().unwrap() {
            let encounters = ranks["encounters"].as_object().unwrap().len();
            let listed = found["raids"][raid][difficulty]["encounters"].as_object().unwrap();
            assert_eq!(listed.len(), encounters, "{found}");
        }
    }
}

fn check(player: &Value) -> String {
    let (region, server, name) = (&player["region"], &player["server"]["name"], &player["name"]);
    let class = &player["classId"];
    let mut script = format!("do local p = assert(Stint.lookup({region}, {server}, {name}), {name})\n");
    script.push_str(&format!("assert(p.classId == {class}, {name})\n"));
    for (raid, difficulties) in player["raids"].as_object().unwrap() {
        for (difficulty, ranks) in difficulties.as_object().unwrap() {
            for (encounter, rank) in ranks["encounters"].as_object().unwrap() {
                let kills = &rank["kills"];
                script.push_str(&format!(
                    "assert(p.raids[{raid}][{difficulty}].encounters[{encounter}].kills == {kills}, {name})\n"
                ));
            }
        }
    }
    script + "end\n"
}

#[test]
fn other_commands_see_that_a_demo_runs_its_fleet() {
    for fleet in [stint_warcraftlogs::FLEET, stint_poe_stashes::FLEET] {
        let folder = tempfile::tempdir().unwrap();
        let mut demo = stint(folder.path());
        demo.args(["demo", fleet, "--json"]);
        let (home, clock) = (folder.path().join("stint-demo"), Arc::new(SystemClock));
        run_async(async {
            let mut demo = Up::start(demo, folder.path().join("log"));
            let is_seen = async |_: &Up| {
                if !Embedded::is_at(&home) {
                    return false;
                }
                let embedded = Embedded::open(&home, Mode::Inline, clock.clone()).unwrap();
                let present = embedded.hosts().running(clock.now()).await.unwrap();
                present.iter().any(|host| host.fleets == [fleet])
            };
            demo.until(is_seen).await;
            demo.kill();
        });
    }
}

#[test]
fn an_unknown_fleet_and_a_foreign_folder_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("precious"), "").unwrap();
    for (arguments, code, expected) in [
        (vec!["demo", "nhl-stats"], 2, "'nhl-stats'"),
        (vec!["demo", "--out", "."], 1, "not empty and not an earlier demo's"),
    ] {
        let output = stint(folder.path()).args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(expected), "{error}");
    }
    assert!(folder.path().join("precious").exists());
}
