//! Kills the real binary with SIGKILL again and again. No player is lost, and nothing is overspent.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::upstream::{Upstream, stint};

/// How often `stint up` is killed.
const KILLS: u64 = 24;

/// Four calls for five players at three difficulties each.
const MOST_IN_FLIGHT: u64 = 4 * 5 * 3;

/// How often the generator is killed.
const GENERATOR_KILLS: u32 = 40;

/// Starts a stand-in whose keys run dry every few seconds.
pub(crate) fn upstream(players: &str) -> Upstream {
    let limits = ["--players", players, "--limit", "900,700", "--window", "6"];
    Upstream::start("warcraftlogs", &[&limits[..], &["--latency", "40", "--faults", "20"]].concat())
}

/// Returns the binary, with settings that point it at the stand-in.
pub(crate) fn fleet(home: &Path, upstream: &Upstream) -> Command {
    let mut command = stint(home);
    for name in ["wcl_api_url", "wcl_token_url", "wcl_site_url", "wcl_keys"] {
        command.env(name.to_uppercase(), upstream.setting(name));
    }
    command.env("WCL_WINDOW_SECONDS", "6").env("WCL_CALL_TIMEOUT_SECONDS", "1").env("WCL_VISIBILITY_SECONDS", "5");
    command.env("CONCURRENCY_LIMIT", "4").env("WCL_PAGE_INTERVAL_MS", "0");
    command
}

pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn ids(home: &Path, collection: &str) -> BTreeSet<u64> {
    let lines = output(stint(home).args(["data", "export", "wcl", collection, "-"]));
    lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["_id"].as_u64().unwrap()).collect()
}

/// Runs `stint up` until it has logged this many lines, and then kills it.
fn kill_after(lines: u64, home: &Path, upstream: &Upstream) {
    let mut up = fleet(home, upstream);
    let mut up = up.arg("up").env("STINT_LOG", "debug").stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let log = BufReader::new(up.stderr.take().unwrap());
    let read = log.lines().take(lines as usize).map(Result::unwrap).count() as u64;
    up.kill().unwrap();
    up.wait().unwrap();
    assert_eq!(read, lines, "stint up ended by itself");
}

/// Starts a stand-in whose players are discovered and queued. Returns their ids.
pub(crate) fn queued(home: &Path, upstream: &Upstream) -> BTreeSet<u64> {
    let rule =
        ["wcl", "rules", "add", "--raid", "26", "--difficulty", "3,4,5", "--start-page", "1", "--end-page", "20"];
    output(stint(home).args(rule));
    for _ in 0..3 {
        output(fleet(home, upstream).args(["run", "wcl/discover"]));
    }
    let discovered = ids(home, "discovers");
    assert!(discovered.len() > 200, "only {} players were discovered", discovered.len());
    output(fleet(home, upstream).args(["run", "wcl/aggregator"]));
    discovered
}

#[test]
fn a_signal_drains_the_work_in_progress() {
    let upstream = upstream("500");
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    queued(home, &upstream);
    let mut up = fleet(home, &upstream);
    let mut up = up.arg("up").env("STINT_LOG", "debug").stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut log = BufReader::new(up.stderr.take().unwrap()).lines();
    log.by_ref().map(Result::unwrap).find(|line| line.contains("rank-fetcher is done")).unwrap();
    assert!(Command::new("kill").arg("-TERM").arg(up.id().to_string()).status().unwrap().success());
    let rest: Vec<String> = log.map(Result::unwrap).collect();
    let status = up.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{rest:?}");
    let queues: Value = serde_json::from_str(&output(stint(home).args(["queue", "list", "--json"]))).unwrap();
    assert_eq!(queues["queues"][0]["in_flight"], 0, "{queues}");
}

/// Returns how many raids and difficulties have ranks in the store.
fn stored(home: &Path) -> u64 {
    let lines = output(stint(home).args(["data", "export", "wcl", "players", "-"]));
    let units = lines.lines().map(|line| {
        let player: Value = serde_json::from_str(line).unwrap();
        player["raids"].as_object().unwrap().values().map(|raid| raid.as_object().unwrap().len() as u64).sum::<u64>()
    });
    units.sum()
}

#[test]
fn no_player_is_lost_when_the_process_is_killed_repeatedly() {
    let upstream = upstream("500");
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let discovered = queued(home, &upstream);
    let mut in_flight = 0;
    for kill in 1..=KILLS {
        // Any moment is suitable. These are spread over starting, fetching and waiting.
        kill_after(kill * kill * 7 % 61 + 1, home, &upstream);
        let counters: Value = upstream.counters();
        in_flight += (counters["sections"].as_u64().unwrap() - stored(home)).min(MOST_IN_FLIGHT);
    }
    output(fleet(home, &upstream).args(["up", "--until-drained"]));

    let (ranked, dropped) = (ids(home, "players"), ids(home, "dropped"));
    let lost: Vec<&u64> = discovered.iter().filter(|id| !ranked.contains(id) && !dropped.contains(id)).collect();
    assert_eq!(lost, Vec::<&u64>::new(), "lost players");
    let counters: Value = upstream.counters();
    assert_eq!(counters["overspent"].as_f64(), Some(0.0), "{counters}");
    assert_eq!(counters["refused_calls"], 0, "{counters}");
    let again = counters["sections_again"].as_u64().unwrap();
    assert!(again <= in_flight, "{again} raids and difficulties were bought again, at most {in_flight} were in flight");
}

#[test]
fn a_generator_that_is_killed_repeatedly_does_no_harm() {
    let upstream = upstream("300");
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    queued(home, &upstream);
    output(fleet(home, &upstream).args(["up", "--until-drained"]));
    let databases = folder.path().join("out");
    let generator = || {
        let mut generator = fleet(home, &upstream);
        generator.env("LUA_OUT", &databases).args(["run", "wcl/db-generator", "--json"]);
        generator
    };
    for kill in 0..GENERATOR_KILLS {
        let mut generator = generator().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Each process runs a little longer than the previous one before it is killed, or has ended by then.
        (0..kill * 400).for_each(|_| drop(databases.read_dir()));
        generator.kill().unwrap();
        generator.wait().unwrap();
    }
    let report: Value = serde_json::from_str(&output(&mut generator())).unwrap();
    let regions = report["report"]["regions"].as_array().unwrap_or_else(|| panic!("{report}"));
    let written: u64 = regions.iter().map(|region| region["players"].as_u64().unwrap()).sum();
    assert_eq!(written, ids(home, "players").len() as u64, "{report}");
    let unpacked = output(stint(home).args(["wcl", "unpack"]).arg(&databases));
    assert_eq!(unpacked.lines().count() as u64, written);
}
