//! Kills the real `stint up poe-stashes` with SIGKILL again and again while it fetches, stores and indexes. No page is
//! lost, the chain has no gap, and the upstream has no reason to complain.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use stint_core::ports::{Queue, QueueSettings};
use stint_core::worker::{Worker, WorkerSpec};
use stint_embedded::{Embedded, Mode};
use stint_poe_stashes::follower::Follower;
use stint_poe_stashes::indexer::Indexer;
use stint_poe_stashes::store::{Chain, Progress, Realm, SqliteChain, SqliteIndex};
use stint_standins::poe_stashes::Counters;

use crate::lambda_fleet::{clock, run};
use crate::poe_audit::{check_index, stored_pages};
use crate::poe_stashes::up;
use crate::up::Up;
use crate::upstream::Upstream;

/// The activity during which a process is killed.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// It has printed its first lines, but the chain still belongs to the previous process.
    Starting,
    /// The upstream has received another request.
    Fetching,
    /// A blob is being written or was written.
    Storing,
    /// The indexer has received pages.
    Indexing,
}

/// How many pages each process stores before it is killed, and during which activity.
const KILLS: [(usize, Work); 9] = [
    (1, Work::Fetching),
    (3, Work::Storing),
    (0, Work::Starting),
    (2, Work::Indexing),
    (8, Work::Fetching),
    (0, Work::Storing),
    (5, Work::Indexing),
    (7, Work::Storing),
    (1, Work::Indexing),
];

/// Starts a river of about 70 pages. Each takes a while to stream, and a few are cut off.
fn river() -> Upstream {
    let size = ["--history", "650", "--edits", "4", "--page", "20", "--items", "10"];
    let pace = ["--rate", "20:1:60", "--latency", "20", "--bytes-per-second", "60000"];
    Upstream::start("poe-stashes", &[&size[..], &pace, &["--cuts", "30"]].concat())
}

/// An installation as observed from outside.
struct Installation {
    folder: tempfile::TempDir,
    upstream: Upstream,
    embedded: Embedded,
    chain: SqliteChain,
    stored: Arc<dyn Queue>,
}

impl Installation {
    fn new(upstream: Upstream) -> Installation {
        let folder = tempfile::tempdir().unwrap();
        let embedded = Embedded::open(&folder.path().join("home"), Mode::Inline, clock()).unwrap();
        let chain = SqliteChain::open(&embedded, Realm::Pc, clock()).unwrap();
        let stored = queue(&embedded, Indexer::SPEC);
        Installation { folder, upstream, embedded, chain, stored }
    }

    /// Starts a process. Leases and messages of the previous process expire soon.
    fn start(&self, arguments: &[&str]) -> Up {
        let mut command = up(&self.folder.path().join("home"), &self.upstream);
        command.env("POE_LEASE_SECONDS", "1").env("POE_VISIBILITY_SECONDS", "3").args(arguments);
        Up::start(command, self.folder.path().join("log"))
    }

    fn pages(&self) -> PathBuf {
        self.folder.path().join("home/poe-pages")
    }

    async fn progress(&self) -> Progress {
        self.chain.read().await.unwrap().map(|status| status.progress).unwrap_or_default()
    }

    /// Returns how much of an activity was done or is in progress.
    async fn amount(&self, work: Work) -> u64 {
        match work {
            Work::Starting => 0,
            Work::Fetching => self.upstream.counters::<Counters>().page_requests,
            Work::Storing => files(&self.pages()).len() as u64,
            Work::Indexing => self.stored.counts().await.unwrap().in_flight,
        }
    }

    /// Starts a process, and kills it during an activity once it has stored some pages.
    async fn kill_at_work(&self, pages: usize, work: Work) {
        let mut up = self.start(&[]);
        let enough = blobs(&self.pages()) + pages;
        up.until(async |_| blobs(&self.pages()) >= enough).await;
        let mut least = u64::MAX;
        up.until(async |up| {
            let amount = self.amount(work).await;
            least = least.min(amount);
            amount > least || matches!(work, Work::Starting) && up.log().contains("the chain continues")
        })
        .await;
        up.kill();
    }
}

fn queue(embedded: &Embedded, spec: WorkerSpec) -> Arc<dyn Queue> {
    let trigger = spec.queue().unwrap();
    let (visibility_timeout, max_receives) = (trigger.visibility_timeout, trigger.max_receives);
    embedded.queue(trigger.queue, QueueSettings { visibility_timeout, max_receives })
}

/// Returns the files in a folder and its subfolders. Files may disappear meanwhile.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.flat_map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] }).collect()
}

/// Returns the number of whole pages.
fn blobs(folder: &Path) -> usize {
    files(folder).iter().filter(|file| file.extension().is_some_and(|extension| extension == "zst")).count()
}

#[test]
#[expect(clippy::print_stderr, reason = "the output of a test says what was interrupted")]
fn no_page_is_lost_when_the_process_is_killed_repeatedly() {
    let installation = Installation::new(river());
    run(async {
        // The number of kills after which a page was open, and after which an indexer had received pages.
        let (mut open, mut in_flight) = (0, 0);
        for (pages, work) in KILLS {
            installation.kill_at_work(pages, work).await;
            open += usize::from(!installation.progress().await.open.is_empty());
            in_flight += usize::from(installation.stored.counts().await.unwrap().in_flight > 0);
        }
        eprintln!("{} kills: pages were open after {open}, and messages in flight after {in_flight}", KILLS.len());
        assert!(open >= 5 && in_flight > 0, "{open} and {in_flight} of {} kills interrupted work", KILLS.len());
        let ended = installation.start(&["--until-drained"]).ended().await;
        assert_eq!(ended["drained"], true, "{ended}");
        check(&installation).await;
    });
}

/// Checks what must be true once no work is left.
async fn check(installation: &Installation) {
    let (counters, progress): (Counters, _) = (installation.upstream.counters(), installation.progress().await);
    assert_eq!((counters.client_errors, counters.refused, counters.banned), (0, 0, false));
    let pages = stored_pages(&installation.pages(), &counters, progress.position.unwrap());
    assert!(pages.len() > 60, "only {} pages", pages.len());
    assert_eq!(pages.len(), blobs(&installation.pages()), "blobs beside the chain");
    let (totals, count) = (progress.totals, pages.len() as u64);
    assert_eq!((totals.fetched, totals.stored, totals.lost, progress.open), (count, count, 0, vec![]));
    check_index(&SqliteIndex::open(installation.embedded.folder()).unwrap(), pages).await;
    let stored = installation.stored.counts().await.unwrap();
    assert_eq!((stored.unfinished(), stored.dead_letters), (0, 0));
    assert_eq!(queue(&installation.embedded, Follower::SPEC).counts().await.unwrap().dead_letters, 0);
}
