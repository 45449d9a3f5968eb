//! The real binary, killed with SIGKILL again and again: nobody is lost, and nothing is overspent.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

/// How often `stint up` is killed.
const KILLS: u64 = 12;

/// A stand-in in a process of its own, so that its books outlive the fleet.
pub(crate) struct Upstream {
    process: Child,
    address: Value,
    // Held, so that the process never writes to a closed pipe.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Upstream {
    pub(crate) fn start(players: &str) -> Upstream {
        let arguments = ["upstream", "warcraftlogs", "--port", "0", "--players", players, "--limit", "900,700"];
        let mut process = stint(Path::new("."))
            .args(arguments)
            .args(["--window", "6", "--latency", "40", "--faults", "20", "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut text = String::new();
        for line in output.by_ref() {
            let line = line.unwrap();
            text.push_str(&line);
            if line == "}" {
                break;
            }
        }
        Upstream { process, address: serde_json::from_str(&text).unwrap(), _output: output }
    }

    pub(crate) fn setting(&self, name: &str) -> &str {
        self.address[name].as_str().unwrap()
    }

    pub(crate) fn books(&self) -> Value {
        let url = self.setting("books").strip_prefix("http://").unwrap();
        let (host, path) = url.split_once('/').unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// The binary, with an environment that holds nothing of the machine's.
fn stint(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stint"));
    command.env_clear().env("STINT_HOME", home).stdin(Stdio::null());
    command
}

/// The binary, pointed at the stand-in by settings alone.
fn fleet(home: &Path, upstream: &Upstream) -> Command {
    let mut command = stint(home);
    for name in ["wcl_api_url", "wcl_token_url", "wcl_site_url", "wcl_keys"] {
        command.env(name.to_uppercase(), upstream.setting(name));
    }
    command.env("WCL_WINDOW_SECONDS", "6").env("WCL_CALL_TIMEOUT_SECONDS", "1").env("WCL_VISIBILITY_SECONDS", "3");
    command.env("CONCURRENCY_LIMIT", "4").env("WCL_PAGE_INTERVAL_MS", "0");
    command
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn ids(home: &Path, collection: &str) -> BTreeSet<u64> {
    let lines = output(stint(home).args(["data", "export", collection, "-"]));
    lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["_id"].as_u64().unwrap()).collect()
}

/// Runs `stint up` until it has logged so many lines, and kills it there.
fn kill_after(lines: u64, home: &Path, upstream: &Upstream) {
    let mut up = fleet(home, upstream);
    let mut up = up.arg("up").env("STINT_LOG", "debug").stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let log = BufReader::new(up.stderr.take().unwrap());
    let read = log.lines().take(lines as usize).map(Result::unwrap).count() as u64;
    up.kill().unwrap();
    up.wait().unwrap();
    assert_eq!(read, lines, "stint up ended by itself");
}

/// A stand-in with players that were discovered and queued; and who they are.
fn queued(home: &Path, upstream: &Upstream) -> BTreeSet<u64> {
    let rule = ["rules", "add", "--raid", "26", "--difficulty", "3,4,5", "--start-page", "1", "--end-page", "20"];
    output(stint(home).args(rule));
    for _ in 0..3 {
        output(fleet(home, upstream).args(["run", "warcraftlogs", "discover"]));
    }
    let discovered = ids(home, "discovers");
    assert!(discovered.len() > 200, "only {} players were discovered", discovered.len());
    output(fleet(home, upstream).args(["run", "warcraftlogs", "aggregator"]));
    discovered
}

#[test]
fn a_signal_drains_what_is_under_way() {
    let upstream = Upstream::start("500");
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

#[test]
fn nobody_is_lost_and_nothing_overspent_however_often_it_is_killed() {
    let upstream = Upstream::start("500");
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let discovered = queued(home, &upstream);
    for kill in 1..=KILLS {
        // Any moment will do; these are spread over starting, fetching and waiting.
        kill_after(kill * kill * 7 % 61 + 1, home, &upstream);
    }
    output(fleet(home, &upstream).args(["up", "--until-drained"]));

    let (ranked, dropped) = (ids(home, "players"), ids(home, "dropped"));
    let lost: Vec<&u64> = discovered.iter().filter(|id| !ranked.contains(id) && !dropped.contains(id)).collect();
    assert_eq!(lost, Vec::<&u64>::new(), "lost players");
    let books = upstream.books();
    assert_eq!(books["overspent"].as_f64(), Some(0.0), "{books}");
    assert_eq!(books["refused_calls"], 0, "{books}");
}
