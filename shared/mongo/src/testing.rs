//! What tests and measurements against a real server share. `MONGODB_URI` names it; `scripts/test` starts one.

use std::future::Future;
use std::sync::OnceLock;
use std::thread;

use futures::future::join_all;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use tokio::runtime::{Builder, Runtime};

use crate::Mongo;
use crate::config::server_of_tests;

/// Runs a test against the server, or says why not.
#[expect(clippy::print_stderr, reason = "whoever reads a test's output learns what it could not do")]
pub fn run(test: impl Future<Output = ()>) {
    match server_of_tests() {
        Some(_) => block_on(test),
        None => eprintln!("passed over: MONGODB_URI names no server; scripts/test starts one"),
    }
}

/// Runs a test in which many want the same at once, or says why not.
///
/// The adapters rely on a server that changes a document in one step. FerretDB 1 does not, unless its commands come one
/// at a time, as `scripts/ferretdb` hands them over: such a test on it would tell nothing about the adapters.
#[expect(clippy::print_stderr, reason = "whoever reads a test's output learns what it could not do")]
pub fn run_race(test: impl Future<Output = ()>) {
    run(async {
        if changes_in_one_step().await {
            test.await;
        } else {
            eprintln!("passed over: the server that MONGODB_URI names lets two clients replace the same revision");
        }
    });
}

/// Lets several clients replace the same revisions. Whether no two were ever told that they did.
async fn changes_in_one_step() -> bool {
    const CLIENTS: usize = 8;
    const ROUNDS: i32 = 30;
    let database = TestDatabase::new();
    let clients = join_all((0..CLIENTS).map(|_| database.connect())).await;
    let revisions: Vec<_> = clients.iter().map(|client| client.collection("revisions")).collect();
    if revisions[0].insert_one(doc! { "_id": 1, "revision": 0 }).await.is_err() {
        // The test itself tells what is wrong with the server.
        return true;
    }
    for round in 0..ROUNDS {
        let replace = |revisions: &Collection<Document>| {
            let (seen, next) = (doc! { "_id": 1, "revision": round }, doc! { "_id": 1, "revision": round + 1 });
            let revisions = revisions.clone();
            async move { revisions.replace_one(seen, next).await.map_or(0, |replaced| replaced.matched_count) }
        };
        if join_all(revisions.iter().map(replace)).await.into_iter().sum::<u64>() > 1 {
            return false;
        }
    }
    true
}

/// Runs a future on the one runtime of all tests of a process: connections belong to the runtime that made them.
///
/// # Panics
/// Where a runtime cannot be started.
#[expect(clippy::expect_used, reason = "a test without a runtime is no test")]
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    // Only a machine without threads has none.
    let start = || Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    RUNTIME.get_or_init(start).block_on(future)
}

/// A database that no other test uses, and that is dropped in the end.
pub struct TestDatabase {
    name: String,
}

impl TestDatabase {
    /// A new name on the server of the tests; nothing is created yet.
    pub fn new() -> TestDatabase {
        TestDatabase { name: format!("stint-test-{}", ObjectId::new()) }
    }

    /// Whether there is a server.
    pub fn is_there() -> bool {
        server_of_tests().is_some()
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Connections of its own, as another process has them.
    ///
    /// # Panics
    /// When the address makes no sense.
    pub async fn connect(&self) -> Mongo {
        TestDatabase::connect_to(&self.name).await
    }

    /// Connections to the database of another process, which drops it.
    ///
    /// # Panics
    /// When the address makes no sense.
    #[expect(clippy::expect_used, reason = "a test stops at the first surprise")]
    pub async fn connect_to(name: &str) -> Mongo {
        let uri = server_of_tests().unwrap_or_default();
        // Whoever runs the tests has named it.
        Mongo::open(&uri, Some(name)).await.expect("an address of MongoDB")
    }
}

impl Default for TestDatabase {
    fn default() -> TestDatabase {
        TestDatabase::new()
    }
}

impl Drop for TestDatabase {
    /// Waits for it, on another thread: this one may be in the middle of a future.
    fn drop(&mut self) {
        if !TestDatabase::is_there() {
            return;
        }
        let drop = || block_on(async { self.connect().await.database().drop().await });
        // A test that has failed has said so; what is left behind has a name that nobody uses.
        let _ = thread::scope(|scope| scope.spawn(drop).join());
    }
}
