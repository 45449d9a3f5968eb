//! Migrations: an ordered list of changes of the schema, each applied once, whichever process starts first.
//!
//! The table `stint_migrations` records what was applied, for each fleet. Every migration runs in its own transaction
//! under an advisory lock, so that processes that start together apply each only once. A migration may describe the
//! tables that it creates: if an earlier program has created them already, they are adopted as they are; if they
//! differ, nothing is changed and the difference is reported by column.
//!
//! # What may happen between any two lines
//! * *The process exits during a migration:* it is rolled back, with its record. The next start applies it again.
//! * *Between two migrations:* the next start goes on with the second.

mod adopt;
mod plan;

use std::fmt;

use futures::FutureExt;
use sha2::{Digest, Sha256};

pub use adopt::{Column, Expected, Object, Table};
pub use plan::{Action, Plan, Step};

use crate::failure::{Failure, FailureKind};
use crate::pool::{Postgres, PostgresReader};
use crate::transaction::{Tx, Write};

/// One change of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The position in the list: 1, 2, 3, …
    pub id: i32,
    /// The name, for people.
    pub name: &'static str,
    /// The statements, which run in one transaction. It must not change once it is released.
    pub sql: &'static str,
    /// What an earlier program may have created already.
    pub adopts: Option<Expected>,
}

impl Migration {
    /// Returns the checksum of the statements, whatever the line ends of the source file.
    pub fn checksum(&self) -> String {
        let digest = Sha256::digest(self.sql.replace("\r\n", "\n"));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The migrations of a fleet.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// The fleet. Several fleets may share a database.
    pub fleet: &'static str,
    /// The list, in the order of the ids.
    pub list: &'static [Migration],
}

/// The table of applied migrations.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS stint_migrations (
    fleet text NOT NULL,
    id integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    adopted boolean NOT NULL,
    applied_at timestamp with time zone NOT NULL DEFAULT now(),
    PRIMARY KEY (fleet, id)
)";

/// Waits for the right to migrate: one lock for each schema. Another process may need a long time for its migrations,
/// and so may ours, so the limits of ordinary statements do not apply.
const LOCK: &str = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = 0;
    SELECT pg_advisory_xact_lock(hashtextextended('stint_migrations ' || current_schema(), 0))";

impl Migrations {
    /// Applies what is missing, and returns what was done. Fails without a change if the database was migrated by a
    /// newer program, an applied migration was changed, or an existing table cannot be adopted.
    pub async fn run(&self, database: &Postgres) -> Result<Plan, Failure> {
        self.check()?;
        let mut done = Plan::default();
        loop {
            let what = format!("migrate the database of {}", self.fleet);
            // A second run finds the record of the first.
            let write = Write::idempotent(&what).within(LONGEST);
            match database.transaction(write, |tx| self.next(tx).boxed()).await? {
                Some(step) => done.steps.push(step),
                None => return Ok(done),
            }
        }
    }

    /// Returns what [`run`](Migrations::run) would do, and fails as it would. Changes nothing.
    pub async fn plan(&self, database: &PostgresReader) -> Result<Plan, Failure> {
        self.check()?;
        let what = format!("read the migrations of {}", self.fleet);
        database.snapshot(&what, |tx| self.pending(tx).boxed()).await
    }

    /// Applies or adopts the first pending migration.
    async fn next(&self, tx: Tx<'_, '_>) -> Result<Option<Step>, Failure> {
        tx.batch(LOCK).await?;
        // An existing table costs a notice and no rights.
        if !plan::has_records(tx).await? {
            tx.batch(TABLE).await?;
        }
        let Some(migration) = self.first_pending(tx).await? else { return Ok(None) };
        let action = adopt::decide(tx, migration).await?;
        if action == Action::Apply {
            let failed = |failure: Failure| failure.during(&format!("apply migration {migration} of {}", self.fleet));
            tx.batch(migration.sql).await.map_err(failed)?;
        }
        let adopted = action == Action::Adopt;
        let record = "INSERT INTO stint_migrations (fleet, id, name, checksum, adopted) VALUES ($1, $2, $3, $4, $5)";
        let (name, checksum) = (migration.name, migration.checksum());
        tx.execute(record, &[&self.fleet, &migration.id, &name, &checksum, &adopted]).await?;
        tracing::info!(fleet = self.fleet, "migration {migration}: {action}");
        Ok(Some(Step { id: migration.id, name: name.to_owned(), action }))
    }

    /// The list itself is a constant of the program.
    fn check(&self) -> Result<(), Failure> {
        let in_order = self.list.iter().zip(1..).all(|(migration, id)| migration.id == id);
        let wrong = || Failure::new(FailureKind::Refused, "the ids of the migrations must be 1, 2, 3, …");
        in_order.then_some(()).ok_or_else(wrong)
    }
}

/// The longest time for one migration, with the wait for another process.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(3_600);

impl fmt::Display for Migration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} `{}`", self.id, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_ignores_line_ends_and_nothing_else() {
        let migration = |sql| Migration { id: 1, name: "a", sql, adopts: None };
        let checksum = migration("SELECT 1;\nSELECT 2").checksum();
        assert_eq!(checksum, migration("SELECT 1;\r\nSELECT 2").checksum());
        assert_ne!(checksum, migration("SELECT 1;\nSELECT 3").checksum());
        assert_eq!(checksum.len(), 64);
    }
}
