//! Shared by tests and benchmarks that need a real server. `MONGODB_URI` names it, and `STINT_MONGODB_ATOMIC_URI` a
//! second one, on which a change of one document is atomic by itself; `scripts/test` starts both.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::thread;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use jiff::Timestamp;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use stint_core::clock::{Clock, between};
use tokio::runtime::{Builder, Runtime};

use crate::Mongo;
use crate::config::{atomic_server_of_tests, server_of_tests};

/// Runs a test on the server, or prints why it is skipped.
pub fn run(test: impl Future<Output = ()>) {
    match server_of_tests() {
        Some(_) => block_on(test),
        None => skip("MONGODB_URI names no server; scripts/test starts one"),
    }
}

/// Runs a test on the second server, or prints why it is skipped.
pub fn run_atomic(test: impl Future<Output = ()>) {
    match atomic_server_of_tests() {
        Some(_) => block_on(test),
        None => skip("STINT_MONGODB_ATOMIC_URI names no server; scripts/test starts one"),
    }
}

/// Runs a test with concurrent writers, or prints why it is skipped.
///
/// The adapters require a server on which a change of one document is atomic. FerretDB 1 does not guarantee this,
/// unless its commands are serialised, as `scripts/ferretdb` does: on it such a test would not test the adapters.
pub fn run_race(test: impl Future<Output = ()>) {
    run(async {
        if updates_are_atomic(&TestDatabase::new()).await {
            test.await;
        } else {
            skip("the server that MONGODB_URI names lets two clients replace the same revision");
        }
    });
}

/// Runs a test on each server, with a database of its own.
pub fn on_each_server(test: impl AsyncFn(TestDatabase)) {
    run(async { test(TestDatabase::new()).await });
    run_atomic(async { test(TestDatabase::atomic()).await });
}

/// The same for a test with concurrent writers.
pub fn race_on_each_server(test: impl AsyncFn(TestDatabase)) {
    run_race(async { test(TestDatabase::new()).await });
    run_atomic(async {
        assert!(updates_are_atomic(&TestDatabase::atomic()).await, "two clients have replaced the same revision");
        test(TestDatabase::atomic()).await;
    });
}

#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// Lets several clients replace the same revisions. Returns whether each revision was replaced by only one client.
async fn updates_are_atomic(database: &TestDatabase) -> bool {
    const CLIENTS: usize = 8;
    const ROUNDS: i32 = 30;
    let clients = join_all((0..CLIENTS).map(|_| database.connect())).await;
    let revisions: Vec<_> = clients.iter().map(|client| client.collection("revisions")).collect();
    if revisions[0].insert_one(doc! { "_id": 1, "revision": 0 }).await.is_err() {
        // The test itself reports what is wrong with the server.
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

/// Runs a future on the one runtime of all tests of a process: connections belong to the runtime that created them.
///
/// # Panics
/// If a runtime cannot be started.
#[expect(clippy::expect_used, reason = "a test without a runtime is no test")]
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    // Fails only if no thread can be started.
    let start = || Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    RUNTIME.get_or_init(start).block_on(future)
}

/// A database that no other test uses, and that is dropped at the end.
pub struct TestDatabase {
    name: String,
    uri: Option<String>,
}

impl TestDatabase {
    /// Returns a new name on the test server; nothing is created yet.
    pub fn new() -> TestDatabase {
        TestDatabase::at(server_of_tests())
    }

    /// Returns a new name on the second server.
    pub fn atomic() -> TestDatabase {
        TestDatabase::at(atomic_server_of_tests())
    }

    fn at(uri: Option<String>) -> TestDatabase {
        TestDatabase { name: format!("stint-test-{}", ObjectId::new()), uri }
    }

    /// Whether there is a server.
    pub fn is_there() -> bool {
        server_of_tests().is_some()
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's address.
    pub fn uri(&self) -> &str {
        self.uri.as_deref().unwrap_or_default()
    }

    /// Returns new connections, as another process would have.
    ///
    /// # Panics
    /// If the address is invalid.
    pub async fn connect(&self) -> Mongo {
        TestDatabase::connect_to(self.uri(), &self.name).await
    }

    /// Returns connections to a database of another process, which drops it.
    ///
    /// # Panics
    /// If the address is invalid.
    #[expect(clippy::expect_used, reason = "a panic fails the test")]
    pub async fn connect_to(uri: &str, name: &str) -> Mongo {
        // The address is set by the person or script that runs the tests.
        Mongo::open(uri, Some(name), None, Arc::new(RealClock)).await.expect("an address of MongoDB")
    }
}

impl Default for TestDatabase {
    fn default() -> TestDatabase {
        TestDatabase::new()
    }
}

/// The clock of the operations in these tests: the server runs in real time.
#[derive(Clone, Copy, Debug)]
pub struct RealClock;

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "the server of a test runs in real time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "the server of a test runs in real time")]
    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        tokio::time::sleep(between(self.now(), deadline)).boxed()
    }
}

impl Drop for TestDatabase {
    /// Drops the database and waits for it on another thread: this thread may be in the middle of a future.
    fn drop(&mut self) {
        if self.uri.is_none() {
            return;
        }
        let drop = || block_on(async { self.connect().await.database().drop().await });
        // A failed test has reported its error; the database that remains has a name that is not used again.
        let _ = thread::scope(|scope| scope.spawn(drop).join());
    }
}
