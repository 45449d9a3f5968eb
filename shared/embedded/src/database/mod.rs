//! One SQLite file, shared by tasks, threads and processes.

mod changes;
pub(crate) mod damage;
mod job;
pub(crate) mod open;
mod threads;
mod writer;

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::oneshot;
use futures::{Stream, stream};
use rusqlite::Connection;
use stint_core::ports::{PortError, PortResult};

use changes::CommitSignal;
use job::{Job, Lost, Write, attempt, context};
use threads::Threads;
use writer::execute;

/// How a database runs its statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// For programs. One thread writes and some threads read; writers share commits, and a write that has returned
    /// survives `kill -9` and a power cut. Other processes may use the file at the same time.
    Shared,
    /// For tests and simulation. Everything runs on the caller's thread and is done when the call is first polled.
    /// Nothing waits for the disk, so a power cut may destroy the file.
    Inline,
}

/// The kind of rows that a new file is laid out for. An existing file keeps its layout and works either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowSize {
    /// Rows that are found and changed one by one: pages of 4 KiB, SQLite's default.
    Small,
    /// Rows of some hundred bytes, written in bulk: pages of 16 KiB. Four rows of 800 bytes leave a fifth of a small
    /// page empty, and every page is written twice, to the log and to the file.
    Large,
}

impl RowSize {
    fn page_bytes(self) -> u32 {
        match self {
            RowSize::Small => 4 * 1024,
            RowSize::Large => 16 * 1024,
        }
    }
}

/// One SQLite file. Clones share the same connections.
///
/// Needs no runtime: any executor can poll the futures that it returns. A write whose future is dropped may or may not
/// be done; once it has been polled it cannot be cancelled.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    path: Arc<Path>,
    changes: Arc<CommitSignal>,
    engine: Engine,
}

enum Engine {
    Shared(Threads),
    Inline(Mutex<Connection>),
}

impl Database {
    /// Opens the file at `path`, creating the file (but not its folder) if needed, and applies the `migrations` that it
    /// does not have yet. Migrations are numbered by position: append to them and never change one. A file that a newer
    /// version has migrated further is refused.
    pub fn open(path: &Path, migrations: &'static [&'static str], mode: Mode) -> PortResult<Database> {
        Database::open_for(RowSize::Small, path, migrations, mode)
    }

    /// Like [`Database::open`], and lays out a new file for `rows`.
    pub fn open_for(
        rows: RowSize,
        path: &Path,
        migrations: &'static [&'static str],
        mode: Mode,
    ) -> PortResult<Database> {
        Database::start(path, open::open_writer(path, migrations, mode, rows)?, mode)
    }

    /// Like [`Database::open`], and calls `look` on the connection before the file is used. `look` must not change the
    /// file.
    pub(crate) fn open_with<T>(
        path: &Path,
        migrations: &'static [&'static str],
        mode: Mode,
        look: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> PortResult<(Database, T)> {
        let connection = open::open_writer(path, migrations, mode, RowSize::Small)?;
        let seen = look(&connection).map_err(|error| open::open_error(path, error))?;
        Ok((Database::start(path, connection, mode)?, seen))
    }

    fn start(path: &Path, connection: Connection, mode: Mode) -> PortResult<Database> {
        let path: Arc<Path> = Arc::from(path);
        let changes = Arc::new(CommitSignal::new());
        let engine = match mode {
            Mode::Shared => Engine::Shared(Threads::start(path.clone(), connection, changes.clone())?),
            Mode::Inline => Engine::Inline(Mutex::new(connection)),
        };
        Ok(Database { inner: Arc::new(Inner { path, changes, engine }) })
    }

    /// Opens another connection for writing to the file at `path`, which is open already. For work done while a folder
    /// is being opened, before anything can be awaited.
    pub(crate) fn second_connection(path: &Path, mode: Mode) -> PortResult<Connection> {
        open::open_second(path, mode)
    }

    /// Creates a database in memory, in [`Mode::Inline`]. It is deleted with its last clone.
    pub fn in_memory(migrations: &'static [&'static str]) -> PortResult<Database> {
        let engine = Engine::Inline(Mutex::new(open::open_in_memory(migrations)?));
        let inner = Inner { path: Arc::from(Path::new(":memory:")), changes: Arc::new(CommitSignal::new()), engine };
        Ok(Database { inner: Arc::new(inner) })
    }

    /// Returns the path of the file, or `:memory:` if there is none.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Runs `work` in a transaction and returns when it is durable. `what` completes the sentence "could not …".
    ///
    /// All or nothing: if `work` fails or panics, none of its changes stay, and other writes in the same transaction
    /// are not affected. `work` must not begin, commit or roll back a transaction, nor wait for this database. Prepare
    /// statements that run often with `prepare_cached`.
    pub async fn write<T, W>(&self, what: &'static str, work: W) -> PortResult<T>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        self.submit(what, work, move |result| {
            // The caller may have stopped waiting; the write is done all the same.
            let _ = sender.send(result);
        });
        self.wait_for_result(what, receiver).await
    }

    /// Runs `work` on a read-only connection. It sees every write that has returned before. Each statement sees one
    /// state of the file.
    pub async fn read<T, W>(&self, what: &'static str, work: W) -> PortResult<T>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        match &self.inner.engine {
            Engine::Shared(threads) => {
                let (sender, receiver) = oneshot::channel();
                let path = self.inner.path.clone();
                threads.read(Box::new(move |connection| {
                    // The caller may have stopped waiting.
                    let _ = sender.send(match connection {
                        Ok(connection) => attempt(what, &path, || work(connection)),
                        Err(reason) => Err(PortError::backend(context(what, &path), reason)),
                    });
                }));
                self.wait_for_result(what, receiver).await
            }
            Engine::Inline(connection) => {
                let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                attempt(what, &self.inner.path, || work(&connection))
            }
        }
    }

    /// Streams rows in pages, for tables that do not fit into memory. `page` returns the rows after a cursor, and the
    /// cursor of the next page or `None` on the last. Each page is a separate read: rows that change meanwhile are seen
    /// as they are when their page is read, so page by a key that does not change.
    pub fn pages<T, C, P>(&self, what: &'static str, first: C, page: P) -> impl Stream<Item = PortResult<Vec<T>>> + Send
    where
        T: Send + 'static,
        C: Send + 'static,
        P: Fn(&Connection, C) -> rusqlite::Result<(Vec<T>, Option<C>)> + Send + Sync + 'static,
    {
        let page = Arc::new(page);
        let database = self.clone();
        stream::try_unfold(Some(first), move |cursor| {
            let (page, database) = (page.clone(), database.clone());
            async move {
                let Some(cursor) = cursor else { return Ok(None) };
                database.read(what, move |connection| page(connection, cursor)).await.map(Some)
            }
        })
    }

    /// Returns a future that completes when this process next commits a change after this call. To miss nothing, call
    /// this, then read, then await the future. Commits of other processes are not announced; read again from time to
    /// time.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + Unpin + 'static {
        self.inner.changes.next()
    }

    /// Like `write`, but calls `done` on the writing thread, once the outcome is known.
    pub(crate) fn submit<T, W, D>(&self, what: &'static str, work: W, done: D)
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        D: FnOnce(PortResult<T>) + Send + 'static,
    {
        let job = Box::new(Write::new(what, self.inner.path.clone(), work, done));
        match &self.inner.engine {
            Engine::Shared(threads) => threads.write(job),
            Engine::Inline(connection) => self.write_inline(connection, job),
        }
    }

    fn write_inline(&self, connection: &Mutex<Connection>, mut job: Box<dyn Job>) {
        let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        let rows_before = connection.total_changes();
        let written = execute(&connection, "BEGIN IMMEDIATE").and_then(|()| {
            let end = if job.run(&connection) { "COMMIT" } else { "ROLLBACK" };
            execute(&connection, end)
        });
        if written.is_err() && !connection.is_autocommit() {
            // A failed rollback leaves the transaction open, and the next BEGIN reports that to its caller.
            let _ = execute(&connection, "ROLLBACK");
        }
        let changed = connection.total_changes() != rows_before;
        drop(connection);
        job.finish(written.err().map(Lost::before).as_ref());
        if changed {
            self.inner.changes.announce();
        }
    }

    async fn wait_for_result<T>(&self, what: &str, receiver: oneshot::Receiver<PortResult<T>>) -> PortResult<T> {
        let gone = |_| Err(PortError::backend(context(what, self.path()), "the database's thread has stopped"));
        receiver.await.unwrap_or_else(gone)
    }
}
