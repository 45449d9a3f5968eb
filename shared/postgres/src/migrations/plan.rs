//! What is applied, what is pending, and whether both fit together.

use std::collections::BTreeMap;
use std::fmt;

use super::{Migration, Migrations, adopt};
use crate::failure::{Failure, FailureKind};
use crate::transaction::Tx;

/// What is done with a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Its statements run.
    Apply,
    /// An earlier program has created what it creates. It is only recorded.
    Adopt,
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Action::Apply => "apply",
            Action::Adopt => "adopt what exists",
        })
    }
}

/// One migration and what is done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The migration's id.
    pub id: i32,
    /// The migration's name.
    pub name: String,
    /// What is done.
    pub action: Action,
}

/// The steps that were done, or that would be. Its text has a line for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps in order; none if the database is up to date.
    pub steps: Vec<Step>,
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return formatter.write_str("the database is up to date");
        }
        let lines = self.steps.iter().map(|step| format!("{} `{}`: {}", step.id, step.name, step.action));
        formatter.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

/// A migration that the database has recorded.
struct Applied {
    name: String,
    checksum: String,
}

impl Migrations {
    /// Returns all pending migrations with what would be done.
    ///
    /// Objects are looked up as they are now. A migration that would change a table which a pending one adopts is
    /// therefore planned before the change.
    pub(super) async fn pending(&self, tx: Tx<'_, '_>) -> Result<Plan, Failure> {
        let mut plan = Plan::default();
        for migration in self.all_pending(tx).await? {
            let action = adopt::decide(tx, migration).await?;
            plan.steps.push(Step { id: migration.id, name: migration.name.to_owned(), action });
        }
        Ok(plan)
    }

    pub(super) async fn first_pending(&self, tx: Tx<'_, '_>) -> Result<Option<&'static Migration>, Failure> {
        Ok(self.all_pending(tx).await?.first())
    }

    /// Returns the end of the list that is not applied yet, after comparing its start with the database's records.
    async fn all_pending(&self, tx: Tx<'_, '_>) -> Result<&'static [Migration], Failure> {
        let applied = if has_records(tx).await? { self.applied(tx).await? } else { BTreeMap::new() };
        let refused = |why: String| Failure::new(FailureKind::Refused, why);
        for (id, record) in &applied {
            let known = self.list.iter().find(|migration| migration.id == *id);
            let Some(known) = known else { return Err(refused(newer(*id, &record.name))) };
            if known.checksum() != record.checksum {
                return Err(refused(changed(known, record)));
            }
        }
        let pending = self.list.iter().position(|migration| !applied.contains_key(&migration.id));
        let pending = &self.list[pending.unwrap_or(self.list.len())..];
        if let Some(later) = pending.iter().find(|migration| applied.contains_key(&migration.id)) {
            let gap = "is recorded as applied, but an earlier one is not: restore the missing row of stint_migrations";
            return Err(refused(format!("migration {later} {gap}")));
        }
        Ok(pending)
    }

    async fn applied(&self, tx: Tx<'_, '_>) -> Result<BTreeMap<i32, Applied>, Failure> {
        let rows = tx.query("SELECT id, name, checksum FROM stint_migrations WHERE fleet = $1", &[&self.fleet]).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, Applied { name: row.try_get(1)?, checksum: row.try_get(2)? })))
            .collect()
    }
}

/// Whether the table of applied migrations exists.
pub(super) async fn has_records(tx: Tx<'_, '_>) -> Result<bool, Failure> {
    let row = tx.query_opt("SELECT to_regclass('stint_migrations') IS NOT NULL", &[]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
}

fn newer(id: i32, name: &str) -> String {
    format!(
        "the database has migration {id} `{name}`, which this program does not know: a newer version has migrated it, so \
         use that version or a later one"
    )
}

fn changed(known: &Migration, record: &Applied) -> String {
    format!(
        "migration {known} is not the one that was applied (`{}`): its checksum is {}, and the database has {}. A released \
         migration must not change; add another one",
        record.name,
        &known.checksum()[..12],
        record.checksum.get(..12).unwrap_or(&record.checksum)
    )
}
