//! Many writes in one command.
//!
//! The `update` and `delete` commands carry many statements, and every server supports them; the driver's `bulk_write`
//! needs a command that came with MongoDB 8. Statements run in order, and stop at the first failure. A command whose
//! connection broke is sent once more, so each statement must be idempotent.

use mongodb::Database;
use mongodb::bson::error::{Error, Result};
use mongodb::bson::raw::{CStr, RawArrayBuf, RawDocumentBuf, cstr};
use mongodb::bson::{Document, doc};
use stint_core::ports::{PortError, PortResult};

use crate::connection::{Mongo, write_concern};
use crate::error::{context, explain, is_transient, is_transient_code, refused};

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

/// Returns a statement that deletes the document that the filter finds.
pub fn delete(filter: Document) -> Document {
    doc! { "q": filter, "limit": 1 }
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

    async fn run_all(&self, mut head: Document, field: &CStr, statements: &[Document], what: &str) -> PortResult<()> {
        head.extend(doc! { "ordered": true, "writeConcern": write_concern() });
        let wrong = |error: Error| explain(what, &error.into());
        let head = RawDocumentBuf::try_from(&head).map_err(wrong)?;
        for part in parts(statements).map_err(wrong)? {
            let mut command = head.clone();
            command.append(field, part);
            run(self.database(), command, what).await?;
        }
        Ok(())
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

async fn run(database: &Database, command: RawDocumentBuf, what: &str) -> PortResult<()> {
    let answer = match database.run_raw_command(command.clone()).await {
        Ok(answer) if !Refusal::of(&answer).is_some_and(|refusal| is_transient_code(refusal.code())) => Ok(answer),
        Err(error) if !is_transient(&error) => Err(error),
        _ => database.run_raw_command(command).await,
    };
    match Refusal::of(&answer.map_err(|error| explain(what, &error))?) {
        None => Ok(()),
        Some(Refusal::Statement(code, reason)) => Err(refused(what, code, &reason)),
        Some(Refusal::WriteConcern(_, reason)) => Err(PortError::backend(context(what), reason)),
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
}
