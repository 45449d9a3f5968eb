//! Other processes: killed in the middle of their work, or working on the same folder.
//!
//! A child is this test binary, started with its part in an environment variable. It prints each result that it has
//! received on its standard output, line by line, so that the parent never waits for a clock.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use futures::executor::block_on;
use futures::future::join_all;
use stint_core::ledger::CallEnd;
use stint_core::points::Points;
use stint_core::ports::{KeyPool, NewMessage, Parked, Queue};
use stint_embedded::rusqlite::Connection;
use stint_embedded::{Embedded, Mode};

use crate::{LEDGER, SETTINGS, WINDOW, clock, key, read_key, reserve};

const PART: &str = "STINT_TEST_PART";
const HOME: &str = "STINT_TEST_HOME";

/// The prefix of a child's lines, because the test harness writes to the same output.
const MARK: &str = "child says ";

/// Not a test, but the code of a child. In the parent, which has no part, it does nothing.
#[test]
#[expect(clippy::disallowed_methods, reason = "a child is told its part by the environment")]
fn child() {
    let (Some(part), Some(home)) = (std::env::var_os(PART), std::env::var_os(HOME)) else { return };
    let embedded = open(&PathBuf::from(home));
    block_on(async {
        match part.to_str().unwrap() {
            "write" => write_until_killed(&embedded).await,
            "receive" => receive_until_empty(&embedded).await,
            "reserve" => reserve_until_refused(&embedded).await,
            "look" => look_at_what_is_parked(&embedded).await,
            part => panic!("there is no part '{part}'"),
        }
    });
}

async fn write_until_killed(embedded: &Embedded) {
    let (queue, pool) = (embedded.queue("work", SETTINGS), embedded.key_pool(LEDGER).unwrap());
    for number in 0.. {
        let messages: Vec<NewMessage> = (0..10).map(|part| NewMessage::new(format!("{number}/{part}"))).collect();
        queue.send(&messages).await.unwrap();
        say(&format!("sent {number}"));
        let grant = reserve(&*pool, 1).await.unwrap();
        say(&format!("held {}", grant.hold.sequence));
        if number % 2 == 0 {
            pool.settle(&grant.hold, CallEnd::NotBilled).await.unwrap();
            say(&format!("settled {}", grant.hold.sequence));
        }
        let parked_at = stint_core::clock::Clock::now(&clock());
        let parked = Parked { id: number.to_string(), queue: "work".into(), body: "later".into(), parked_at };
        pool.park(&[parked]).await.unwrap();
        say(&format!("parked {number}"));
    }
}

async fn receive_until_empty(embedded: &Embedded) {
    let queue = embedded.queue("work", SETTINGS);
    say("ready 0");
    loop {
        let batches = join_all((0..4).map(|_| queue.receive(3))).await;
        let received: Vec<_> = batches.into_iter().flat_map(Result::unwrap).collect();
        if received.is_empty() {
            return;
        }
        let receipts: Vec<_> = received.iter().map(|delivery| delivery.receipt.clone()).collect();
        queue.acknowledge(&receipts).await.unwrap();
        received.iter().for_each(|delivery| say(&format!("received {}", delivery.body)));
    }
}

async fn reserve_until_refused(embedded: &Embedded) {
    let pool = embedded.key_pool(LEDGER).unwrap();
    say("ready 0");
    loop {
        let grants = join_all((0..4).map(|_| reserve(&*pool, 7))).await;
        for grant in grants {
            let Some(grant) = grant else { return };
            say(&format!("held {}", grant.hold.sequence));
        }
    }
}

async fn look_at_what_is_parked(embedded: &Embedded) {
    let parked = embedded.key_pool(LEDGER).unwrap().count_parked("work").await.unwrap();
    say(&format!("parked {parked}"));
}

/// Writes directly to the output, because the harness would capture `print!`.
fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    output.write_all(format!("\n{MARK}{line}\n").as_bytes()).unwrap();
    output.flush().unwrap();
}

fn open(home: &Path) -> Embedded {
    Embedded::open(home, Mode::Shared, Arc::new(clock())).unwrap()
}

struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(part: &str, home: &Path) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "processes::child", "--nocapture"]).env(PART, part).env(HOME, home);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Process { child, output }
    }

    /// Returns the next line of the child as a word and a text, or `None` if the child has ended.
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
        let said = std::iter::from_fn(|| self.next()).collect();
        assert!(self.child.wait().unwrap().success());
        said
    }
}

fn texts<'a>(said: &'a [(String, String)], word: &str) -> Vec<&'a str> {
    said.iter().filter(|(said, _)| said == word).map(|(_, text)| text.as_str()).collect()
}

#[test]
fn what_was_answered_survives_a_kill() {
    let home = tempfile::tempdir().unwrap();
    block_on(async {
        let pool = open(home.path()).key_pool(LEDGER).unwrap();
        pool.configure(&[key()]).await.unwrap();
        read_key(&*pool, 1_000_000).await;
    });
    let mut writer = Process::start("write", home.path());
    let mut said: Vec<_> = std::iter::from_fn(|| writer.next()).take(250).collect();
    writer.child.kill().unwrap();
    said.extend(std::iter::from_fn(|| writer.next()));
    assert!(!writer.child.wait().unwrap().success());

    let embedded = open(home.path());
    block_on(async {
        let (queue, pool) = (embedded.queue("work", SETTINGS), embedded.key_pool(LEDGER).unwrap());
        let found: BTreeSet<String> =
            queue.peek(usize::MAX).await.unwrap().into_iter().map(|delivery| delivery.body).collect();
        for number in texts(&said, "sent") {
            assert!((0..10).all(|part| found.contains(&format!("{number}/{part}"))), "batch {number} is not there");
        }
        assert_eq!(found.len() % 10, 0, "half a batch is there");
        let parked: BTreeSet<String> =
            pool.claim_parked("work", usize::MAX, WINDOW).await.unwrap().into_iter().map(|parked| parked.id).collect();
        assert!(texts(&said, "parked").into_iter().all(|number| parked.contains(number)));
        let (held, settled) = (texts(&said, "held").len() as u64, texts(&said, "settled").len() as u64);
        let status = pool.keys().await.unwrap().remove(0);
        // One step may have been done without being reported: the one in progress.
        let holds = status.held.times(Points::whole(1));
        assert!((held - settled).abs_diff(holds) <= 1, "{held} were held, {settled} settled, {holds} are there");
        let next: u64 = reserve(&*pool, 1).await.unwrap().hold.sequence;
        assert!(texts(&said, "held").into_iter().all(|sequence| sequence.parse::<u64>().unwrap() < next));
    });
}

#[test]
fn two_processes_never_receive_the_same_message() {
    let home = tempfile::tempdir().unwrap();
    let queue = open(home.path()).queue("work", SETTINGS);
    block_on(async {
        for batch in 0..100 {
            let messages: Vec<NewMessage> = (0..10).map(|part| NewMessage::new(format!("{batch}/{part}"))).collect();
            queue.send(&messages).await.unwrap();
        }
    });
    let said = race("receive", home.path());
    let received = texts(&said, "received");
    assert_eq!(received.len(), 1_000);
    assert_eq!(received.into_iter().collect::<BTreeSet<&str>>().len(), 1_000);
    assert_eq!(block_on(queue.counts()).unwrap().unfinished(), 0);
}

#[test]
fn two_processes_never_hold_the_same_points() {
    let home = tempfile::tempdir().unwrap();
    let pool = open(home.path()).key_pool(LEDGER).unwrap();
    block_on(async {
        pool.configure(&[key()]).await.unwrap();
        read_key(&*pool, 7_005).await;
    });
    let said = race("reserve", home.path());
    let held = texts(&said, "held");
    // A process does not report grants that arrived at the same time as its first refusal.
    assert!((995..=1_000).contains(&held.len()), "{} holds", held.len());
    assert_eq!(held.iter().collect::<BTreeSet<_>>().len(), held.len(), "two holds have one name");
    let status = block_on(pool.keys()).unwrap().remove(0);
    assert_eq!((status.held, status.in_flight), (Points::whole(7_000), 1_000));
}

#[test]
fn two_processes_may_open_a_new_folder_at_once() {
    for _ in 0..3 {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(race("receive", &home.path().join("new")).len(), 2);
        let said = race("look", &home.path().join("new"));
        assert_eq!(texts(&said, "parked"), ["0", "0"], "the file of the ledger is created at once too");
    }
}

#[test]
fn two_processes_that_open_an_old_folder_move_each_message_once() {
    for _ in 0..3 {
        let home = tempfile::tempdir().unwrap();
        drop(open(home.path()).key_pool(LEDGER).unwrap());
        let keys = Connection::open(home.path().join("keys.db")).unwrap();
        let numbers = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 500)";
        let park = format!(
            "{numbers} INSERT INTO parked_before (queue, id, parked_at, body) SELECT 'work', n, n, 'body' FROM numbers"
        );
        keys.execute(&park, []).unwrap();
        assert_eq!(texts(&race("look", home.path()), "parked"), ["500", "500"], "each has opened it when all is moved");
        let left: i64 = keys.query_row("SELECT count(*) FROM parked_before", [], |row| row.get(0)).unwrap();
        let moved =
            block_on(open(home.path()).key_pool(LEDGER).unwrap().claim_parked("work", usize::MAX, WINDOW)).unwrap();
        let ids: BTreeSet<String> = moved.into_iter().map(|parked| parked.id).collect();
        assert_eq!((left, ids.len()), (0, 500));
    }
}

/// Runs two children with the same part, and returns all that they report.
fn race(part: &str, home: &Path) -> Vec<(String, String)> {
    let children = [Process::start(part, home), Process::start(part, home)];
    let readers = children.map(|child| std::thread::spawn(move || child.rest()));
    readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
}
