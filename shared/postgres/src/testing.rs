//! Shared by tests that need a real server. `STINT_POSTGRES_URL` names it; `scripts/test` starts one.

use std::sync::OnceLock;
use std::thread;

use secrecy::SecretString;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, Config, NoTls};

use crate::config::{PostgresSettings, TestServers};

/// Runs a test with a database of its own, or prints why it is skipped.
#[expect(clippy::print_stderr, reason = "a skipped test says why")]
pub fn run<F: Future<Output = ()>>(test: impl FnOnce(TestDatabase) -> F) {
    let Some(servers) = TestServers::from_environment() else {
        eprintln!("skipped: STINT_POSTGRES_URL names no server; scripts/test starts one");
        return;
    };
    let database = block_on(TestDatabase::create(&servers.url));
    let _cleanup = Cleanup(database.clone());
    block_on(test(database));
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

/// A database that no other test uses.
#[derive(Clone, Debug)]
pub struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    /// Creates a database on the server at `url`.
    ///
    /// # Panics
    /// If the server refuses.
    #[expect(clippy::expect_used, reason = "a panic fails the test")]
    pub async fn create(url: &str) -> TestDatabase {
        // Every system has random bytes.
        let random = getrandom::u64().expect("random bytes");
        let database = TestDatabase { server: url.to_owned(), name: format!("stint_test_{random:016x}") };
        administrator(url)
            .await
            .batch_execute(&format!("CREATE DATABASE {}", database.name))
            .await
            // The server is set by the person or script that runs the tests.
            .expect("a database");
        database
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the address, with an administrator's name and password.
    ///
    /// # Panics
    /// If the address of the server has no path.
    #[expect(clippy::expect_used, reason = "a panic fails the test")]
    pub fn url(&self) -> String {
        // The server is set by the person or script that runs the tests.
        format!("{}/{}", self.server.rsplit_once('/').expect("a database in the server's address").0, self.name)
    }

    /// Returns the settings of this database, the others as they are by default.
    pub fn settings(&self) -> PostgresSettings {
        PostgresSettings::at(SecretString::from(self.url()))
    }

    /// Returns a connection of the driver itself, as an administrator has it.
    ///
    /// # Panics
    /// If there is none.
    pub async fn administrator(&self) -> Client {
        administrator(&self.url()).await
    }
}

/// Drops the database, and waits for it on another thread: this one may be in the middle of a future.
struct Cleanup(TestDatabase);

impl Drop for Cleanup {
    fn drop(&mut self) {
        let drop = || {
            block_on(async {
                let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.0.name);
                administrator(&self.0.server).await.batch_execute(&drop).await
            })
        };
        // A failed test has reported its error; the database that remains has a name that is not used again.
        let _ = thread::scope(|scope| scope.spawn(drop).join());
    }
}

#[expect(clippy::expect_used, reason = "a panic fails the test")]
async fn administrator(url: &str) -> Client {
    // The server is set by the person or script that runs the tests.
    let config: Config = url.parse().expect("an address of PostgreSQL");
    // The server is set by the person or script that runs the tests.
    let (client, connection) = config.connect(NoTls).await.expect("a server that tests may use");
    tokio::spawn(connection);
    client
}
