//! Several processes: killed in the middle of a step, or working on the same database.
//!
//! A child process is this test binary, with a variable that selects its role. It prints each result to its standard
//! output, line by line. The parent waits for those lines and never for a clock.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use futures::future::join_all;
use stint_core::ledger::CallEnd;
use stint_core::points::Points;
use stint_core::ports::KeyPool;
use stint_mongo::testing::{TestDatabase, block_on, on_each_server, race_on_each_server};

use crate::{open, pool, reserve};

const ROLE: &str = "STINT_TEST_ROLE";
const DATABASE: &str = "STINT_TEST_DATABASE";
const SERVER: &str = "STINT_TEST_SERVER";

/// The prefix of a child's lines: the test harness writes to the same output.
const MARK: &str = "child reports ";

/// Not a test: the work of a child. In the parent, where the variable is not set, it does nothing.
#[test]
#[expect(clippy::disallowed_methods, reason = "a child is told its role by the environment")]
fn child() {
    let [Ok(role), Ok(server), Ok(database)] = [ROLE, SERVER, DATABASE].map(std::env::var) else { return };
    block_on(async {
        let pool = open(&TestDatabase::connect_to(&server, &database).await).await;
        match role.as_str() {
            "reserve" => reserve_until_refused(&pool).await,
            "spend" => spend_until_killed(&pool).await,
            role => panic!("there is no role '{role}'"),
        }
    });
}

async fn reserve_until_refused(pool: &dyn KeyPool) {
    report("ready 0");
    loop {
        for grant in join_all((0..4).map(|_| reserve(pool, 7))).await {
            let Some(grant) = grant else { return };
            report(&format!("held {}", grant.hold.sequence));
        }
    }
}

async fn spend_until_killed(pool: &dyn KeyPool) {
    for number in 0.. {
        let grant = reserve(pool, 1).await.unwrap();
        report(&format!("held {}", grant.hold.sequence));
        if number % 2 == 0 {
            pool.settle(&grant.hold, CallEnd::NotBilled).await.unwrap();
            report(&format!("settled {}", grant.hold.sequence));
        }
    }
}

/// Writes directly to the output, because the harness captures what is printed.
fn report(line: &str) {
    let mut output = std::io::stdout().lock();
    output.write_all(format!("\n{MARK}{line}\n").as_bytes()).unwrap();
    output.flush().unwrap();
}

struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(role: &str, database: &TestDatabase) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "processes::child", "--nocapture"]);
        command.env(ROLE, role).env(SERVER, database.uri()).env(DATABASE, database.name());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Process { child, output }
    }

    /// Returns the next line of the child: a word and a text. `None` when the child has exited.
    fn next(&mut self) -> Option<(String, String)> {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some((word, text)) = line.trim_end().strip_prefix(MARK).and_then(|line| line.split_once(' ')) {
                return Some((word.to_owned(), text.to_owned()));
            }
        }
    }

    fn rest(mut self) -> Vec<(String, String)> {
        let reports = std::iter::from_fn(|| self.next()).collect();
        assert!(self.child.wait().unwrap().success());
        reports
    }
}

fn texts<'a>(reports: &'a [(String, String)], word: &str) -> Vec<&'a str> {
    reports.iter().filter(|(reported, _)| reported == word).map(|(_, text)| text.as_str()).collect()
}

#[test]
fn two_processes_never_hold_the_same_points() {
    race_on_each_server(async |database| {
        let pool = pool(&database, 7_005).await;
        let readers = [(); 2].map(|()| {
            let process = Process::start("reserve", &database);
            std::thread::spawn(move || process.rest())
        });
        let reports: Vec<_> = readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect();
        let held = texts(&reports, "held");
        // A process does not report grants that arrived together with its first refusal.
        assert!((995..=1_000).contains(&held.len()), "{} holds", held.len());
        assert_eq!(held.iter().collect::<BTreeSet<_>>().len(), held.len(), "two holds have one name");
        let status = pool.keys().await.unwrap().remove(0);
        assert_eq!((status.held, status.in_flight), (Points::whole(7_000), 1_000));
    });
}

#[test]
fn acknowledged_steps_survive_a_kill() {
    on_each_server(async |database| {
        let pool = pool(&database, 1_000_000).await;
        let mut spender = Process::start("spend", &database);
        let mut reports: Vec<_> = std::iter::from_fn(|| spender.next()).take(150).collect();
        spender.child.kill().unwrap();
        reports.extend(std::iter::from_fn(|| spender.next()));
        assert!(!spender.child.wait().unwrap().success());
        let (held, settled) = (texts(&reports, "held").len() as u64, texts(&reports, "settled").len() as u64);
        let status = pool.keys().await.unwrap().remove(0);
        // The step in progress may have been done without being reported.
        let holds = status.held.times(Points::whole(1));
        assert!((held - settled).abs_diff(holds) <= 1, "{held} were held, {settled} settled, {holds} are there");
        let next: u64 = reserve(&pool, 1).await.unwrap().hold.sequence;
        assert!(texts(&reports, "held").into_iter().all(|sequence| sequence.parse::<u64>().unwrap() < next));
    });
}
