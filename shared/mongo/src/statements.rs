//! Writes by the `insert`, `update` and `delete` commands, with the time limits that the driver does not add to its own
//! writes.
//!
//! The commands carry many statements, and every server supports them; the driver's `bulk_write` needs a command that
//! came with MongoDB 8. Statements run in order, and stop at the first failure. A command whose connection broke is sent
//! again, so each statement of [`Mongo::update_all`] and [`Mongo::delete_all`] must be idempotent.

use mongodb::Database;
use mongodb::bson::error::{Error, Result};
use mongodb::bson::raw::{CStr, RawArrayBuf, RawDocumentBuf, cstr};
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::{Error as MongoError, Result as MongoResult};
use stint_core::ports::{PortError, PortResult};

use crate::connection::{Mongo, max_time_millis, write_concern};
use crate::error::{context, explain, is_duplicate_code, is_transient_code, refused};
use crate::operation::Retry;

/// The most statements in a command, by number and by bytes. A server accepts 100,000 statements and no document above
/// 16 MiB; a command is a document.
const MOST: usize = 10_000;
const LARGEST: usize = 12 << 20;

/// Returns a statement that changes the document that the filter finds.
pub fn update(filter: Document, change: Document) -> Document {
    doc! { "q": filter, "u": change }
}

/// The same, but creates the document if there is none.
pub fn upsert(filter: Document, change: Document) -> Document {
    doc! { "q": filter, "u": change, "upsert": true }
}

/// The same for all documents that the filter finds.
pub fn update_each(filter: Document, change: Document) -> Document {
    doc! { "q": filter, "u": change, "multi": true }
}

/// Returns a statement that deletes the document that the filter finds.
pub fn delete(filter: Document) -> Document {
    doc! { "q": filter, "limit": 1 }
}

/// The same for all documents that the filter finds.
pub fn delete_each(filter: Document) -> Document {
    doc! { "q": filter, "limit": 0 }
}

/// The effect of one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// How many documents it has found, changed or created.
    pub documents: u64,
    /// Whether it changed nothing because another document has the id already.
    pub is_duplicate: bool,
}

impl Mongo {
    /// Runs statements of [`update`] and [`upsert`], in one round trip unless they are too large for one. `what`
    /// completes the sentence "could not …".
    pub async fn update_all(&self, collection: &str, statements: &[Document], what: &str) -> PortResult<()> {
        self.run_all(doc! { "update": collection }, cstr!("updates"), statements, what).await
    }

    /// Runs statements of [`delete`].
    pub async fn delete_all(&self, collection: &str, statements: &[Document], what: &str) -> PortResult<()> {
        self.run_all(doc! { "delete": collection }, cstr!("deletes"), statements, what).await
    }

    /// Inserts a document. Tried again only if it was certainly not inserted.
    pub async fn insert(&self, collection: &str, document: Document, what: &str) -> PortResult<Changed> {
        self.change(doc! { "insert": collection, "documents": [document] }, Retry::Refused, what).await
    }

    /// Runs one statement of [`update`], [`update_each`] or [`upsert`], and returns its effect.
    pub async fn update(&self, collection: &str, statement: Document, retry: Retry, what: &str) -> PortResult<Changed> {
        self.change(doc! { "update": collection, "updates": [statement] }, retry, what).await
    }

    /// Runs one statement of [`delete`] or [`delete_each`], and returns its effect.
    pub async fn delete(&self, collection: &str, statement: Document, retry: Retry, what: &str) -> PortResult<Changed> {
        self.change(doc! { "delete": collection, "deletes": [statement] }, retry, what).await
    }

    async fn change(&self, mut command: Document, retry: Retry, what: &str) -> PortResult<Changed> {
        command.extend(head());
        let answer = self.try_run(retry, || command_once(self.database(), Command::Document(&command))).await;
        let answer = answer.map_err(|error| explain(what, &error))?;
        match Refusal::of(&answer) {
            Some(Refusal::Statement(code, _)) if is_duplicate_code(code) => {
                Ok(Changed { documents: 0, is_duplicate: true })
            }
            Some(refusal) => Err(refusal.explain(what)),
            None => Ok(Changed { documents: affected(&answer), is_duplicate: false }),
        }
    }

    /// Sends a command with one statement once. Returns whether it has found its document; an id that is in use already
    /// counts as not found.
    pub(crate) async fn write_once(&self, mut command: Document) -> MongoResult<bool> {
        command.extend(head());
        let answer = self.within_time(command_once(self.database(), Command::Document(&command))).await?;
        match Refusal::of(&answer) {
            None => Ok(affected(&answer) > 0),
            Some(Refusal::Statement(code, _)) if is_duplicate_code(code) => Ok(false),
            Some(refusal) => Err(MongoError::custom(refusal.explain("write a document").to_string())),
        }
    }

    async fn run_all(&self, mut start: Document, field: &CStr, statements: &[Document], what: &str) -> PortResult<()> {
        start.extend(head());
        let wrong = |error: Error| explain(what, &error.into());
        let start = RawDocumentBuf::try_from(&start).map_err(wrong)?;
        for part in parts(statements).map_err(wrong)? {
            let mut command = start.clone();
            command.append(field, part);
            self.run_part(&command, what).await?;
        }
        Ok(())
    }

    /// Runs a command, again if it fails in a way that may pass, or if a concurrent upsert of the same new id was
    /// faster, whose document the next attempt finds.
    async fn run_part(&self, command: &RawDocumentBuf, what: &str) -> PortResult<()> {
        let mut is_repeated = false;
        loop {
            let attempt = || command_once(self.database(), Command::Raw(command));
            let answer = self.try_run(Retry::Idempotent, attempt).await.map_err(|error| explain(what, &error))?;
            match Refusal::of(&answer) {
                None => return Ok(()),
                Some(Refusal::Statement(code, _)) if is_duplicate_code(code) && !is_repeated => is_repeated = true,
                Some(refusal) => return Err(refusal.explain(what)),
            }
        }
    }
}

/// The fields of every command.
fn head() -> Document {
    doc! { "ordered": true, "writeConcern": write_concern(), "maxTimeMS": max_time_millis() }
}

/// How many documents a command has found, changed or created.
fn affected(answer: &Document) -> u64 {
    match answer.get("n") {
        Some(Bson::Int32(count)) => u64::from(count.unsigned_abs()),
        Some(Bson::Int64(count)) => count.unsigned_abs(),
        Some(Bson::Double(count)) => *count as u64,
        _ => 0,
    }
}

/// Splits the statements into parts, each of which fits into a command of every server.
fn parts(statements: &[Document]) -> Result<Vec<RawArrayBuf>> {
    let mut parts: Vec<RawArrayBuf> = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    for statement in statements {
        let raw = RawDocumentBuf::try_from(statement)?;
        let length = raw.as_bytes().len();
        if parts.is_empty() || count == MOST || bytes + length > LARGEST {
            parts.push(RawArrayBuf::new());
            (count, bytes) = (0, 0);
        }
        (count, bytes) = (count + 1, bytes + length);
        if let Some(part) = parts.last_mut() {
            part.push(raw);
        }
    }
    Ok(parts)
}

enum Command<'a> {
    Document(&'a Document),
    Raw(&'a RawDocumentBuf),
}

/// Sends a command. A refusal that may pass becomes an error, so that it is retried like a broken connection.
async fn command_once(database: &Database, command: Command<'_>) -> MongoResult<Document> {
    let answer = match command {
        Command::Document(command) => database.run_command(command.clone()).await?,
        Command::Raw(command) => database.run_raw_command(command.clone()).await?,
    };
    match Refusal::of(&answer) {
        Some(refusal) if is_transient_code(refusal.code()) => {
            Err(std::io::Error::other(refusal.reason().to_owned()).into())
        }
        _ => Ok(answer),
    }
}

/// A refusal in the answer to a command, with its code and reason. The driver does not report it as an error.
enum Refusal {
    /// A statement failed.
    Statement(i32, String),
    /// The writes may not be durable.
    WriteConcern(i32, String),
}

impl Refusal {
    fn of(answer: &Document) -> Option<Refusal> {
        let code = |error: &Document| error.get_i32("code").unwrap_or_default();
        let reason = |error: &Document| error.get_str("errmsg").unwrap_or("the server gave no reason").to_owned();
        let statement = answer.get_array("writeErrors").ok().and_then(|errors| errors.first()?.as_document());
        let statement = statement.map(|error| Refusal::Statement(code(error), reason(error)));
        let concern = answer.get_document("writeConcernError").ok();
        statement.or_else(|| concern.map(|error| Refusal::WriteConcern(code(error), reason(error))))
    }

    fn code(&self) -> i32 {
        let (Refusal::Statement(code, _) | Refusal::WriteConcern(code, _)) = self;
        *code
    }

    fn reason(&self) -> &str {
        let (Refusal::Statement(_, reason) | Refusal::WriteConcern(_, reason)) = self;
        reason
    }

    fn explain(&self, what: &str) -> PortError {
        match self {
            Refusal::Statement(code, reason) => refused(what, *code, reason),
            Refusal::WriteConcern(_, reason) => PortError::backend(context(what), reason.as_str()),
        }
    }
}
