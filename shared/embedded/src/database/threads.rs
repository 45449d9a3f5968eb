//! The threads of a shared database.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use stint_core::ports::{PortError, PortResult};

use super::changes::CommitSignal;
use super::job::Job;
use super::{open, writer};

/// The number of reading threads. A long read (an export, a page of a large table) must not delay short ones.
const READERS: usize = 2;

/// A read, which is called with a connection or the reason why there is none.
pub(super) type Read = Box<dyn FnOnce(Result<&Connection, String>) + Send>;

/// One thread that writes, and some that read, which are started when first needed.
pub(super) struct Threads {
    path: Arc<Path>,
    /// `None` only while the database is being closed.
    writes: Option<Sender<Box<dyn Job>>>,
    writer: Option<JoinHandle<()>>,
    reads: OnceLock<Sender<Read>>,
}

impl Threads {
    pub(super) fn start(path: Arc<Path>, connection: Connection, changes: Arc<CommitSignal>) -> PortResult<Threads> {
        let (writes, inbox) = mpsc::channel();
        let name = format!("write {}", path.file_name().unwrap_or_default().to_string_lossy());
        let spawned = thread::Builder::new().name(name).spawn(move || writer::run(&connection, &inbox, &changes));
        let writer = spawned.map_err(|error| PortError::backend("could not start the thread of a database", error))?;
        Ok(Threads { path, writes: Some(writes), writer: Some(writer), reads: OnceLock::new() })
    }

    /// Queues a write. If the writer is gone the job is dropped, and its caller gets an error.
    pub(super) fn write(&self, job: Box<dyn Job>) {
        if let Some(writes) = &self.writes {
            let _ = writes.send(job);
        }
    }

    /// Queues a read. If the readers are gone it is dropped, and its caller gets an error.
    pub(super) fn read(&self, read: Read) {
        let _ = self.reads.get_or_init(|| start_readers(&self.path)).send(read);
    }
}

impl Drop for Threads {
    /// Waits until every submitted write is done, so that the caller may open the file again at once.
    fn drop(&mut self) {
        self.writes = None;
        // The last clone may be dropped by the callback of a write, on the very thread that would be joined.
        let writer = self.writer.take().filter(|writer| writer.thread().id() != thread::current().id());
        if let Some(writer) = writer {
            let _ = writer.join();
        }
    }
}

fn start_readers(path: &Arc<Path>) -> Sender<Read> {
    let (reads, inbox) = mpsc::channel();
    let inbox = Arc::new(Mutex::new(inbox));
    for _ in 0..READERS {
        let (path, inbox) = (path.clone(), inbox.clone());
        // If no thread starts, the channel closes, and the caller gets an error.
        let _ = thread::Builder::new().name("read".into()).spawn(move || run_reader(&path, &inbox));
    }
    reads
}

fn run_reader(path: &Path, inbox: &Mutex<Receiver<Read>>) {
    let connection = open::open_reader(path).map_err(|error| error.to_string());
    loop {
        // Locked while waiting: the other readers wait for the lock, and take it as soon as there is a read here.
        let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(read) = next else { return };
        read(connection.as_ref().map_err(Clone::clone));
    }
}
