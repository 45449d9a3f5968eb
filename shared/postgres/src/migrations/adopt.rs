//! Existing objects: whether a migration may take them over as they are.

use std::collections::BTreeMap;

use super::{Action, Migration};
use crate::failure::{Failure, FailureKind};
use crate::transaction::Tx;

/// What a migration creates, as far as the program depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// The tables.
    pub tables: &'static [Table],
    /// Functions and other objects.
    pub objects: &'static [Object],
}

/// An expected table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The name, as in `game_stats`.
    pub name: &'static str,
    /// The columns that must exist. Further columns are left alone, if a row can be inserted without them.
    pub columns: &'static [Column],
    /// The columns of unique constraints that must exist, each in any order, such as those of upserts.
    pub unique: &'static [&'static [&'static str]],
}

/// An expected column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The name.
    pub name: &'static str,
    /// The type, as PostgreSQL spells it: `character varying(255)`, `timestamp with time zone`.
    pub kind: &'static str,
}

/// An expected object that is not a table.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    /// What it is, for messages, as in "the aggregate median(numeric)".
    pub what: &'static str,
    /// A query for whether it exists, as in `SELECT to_regprocedure('median(numeric)') IS NOT NULL`.
    pub exists: &'static str,
}

/// Returns whether a migration is to be applied, because nothing exists of what it creates, or adopted, because
/// everything does. Anything in between is refused with the differences.
pub(super) async fn decide(tx: Tx<'_, '_>, migration: &Migration) -> Result<Action, Failure> {
    let Some(expected) = &migration.adopts else { return Ok(Action::Apply) };
    let (mut found, mut differences) = (0, Vec::new());
    for table in expected.tables {
        if exists(tx, table).await? {
            found += 1;
            differences.extend(compare(tx, table).await?);
        } else {
            differences.push(format!("table {} does not exist", table.name));
        }
    }
    for object in expected.objects {
        let row = tx.query_opt(object.exists, &[]).await?;
        if row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default() {
            found += 1;
        } else {
            differences.push(format!("{} does not exist", object.what));
        }
    }
    match (found, differences.is_empty()) {
        (0, _) => Ok(Action::Apply),
        (_, true) => Ok(Action::Adopt),
        (_, false) => Err(mismatch(migration, &differences)),
    }
}

fn mismatch(migration: &Migration, differences: &[String]) -> Failure {
    let reason = format!(
        "migration {migration} finds what it creates, but not as expected: {}. Nothing was changed. Correct the schema by \
         hand, or use an empty schema",
        differences.join("; ")
    );
    Failure::new(FailureKind::Refused, reason)
}

async fn exists(tx: Tx<'_, '_>, table: &Table) -> Result<bool, Failure> {
    let row = tx.query_opt("SELECT to_regclass(quote_ident($1)) IS NOT NULL", &[&table.name]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
}

/// Returns the differences between an existing table and the expected one.
async fn compare(tx: Tx<'_, '_>, table: &Table) -> Result<Vec<String>, Failure> {
    let found = columns(tx, table).await?;
    let mut differences = Vec::new();
    for column in table.columns {
        let place = format!("column {}.{}", table.name, column.name);
        match found.get(column.name) {
            None => differences.push(format!("{place} does not exist")),
            Some(found) if found.kind != column.kind => {
                differences.push(format!("{place} is {}, expected {}", found.kind, column.kind));
            }
            Some(_) => {}
        }
    }
    let unknown = found.iter().filter(|(name, _)| table.columns.iter().all(|column| column.name != **name));
    let required = unknown.filter(|(_, found)| found.is_required);
    differences
        .extend(required.map(|(name, _)| format!("column {}.{name} is not known and requires a value", table.name)));
    let unique = unique_columns(tx, table).await?;
    for expected in table.unique {
        let mut expected: Vec<&str> = expected.to_vec();
        expected.sort_unstable();
        if !unique.iter().any(|found| *found == expected) {
            differences.push(format!("table {} has no unique ({})", table.name, expected.join(", ")));
        }
    }
    Ok(differences)
}

struct Found {
    kind: String,
    /// Whether an insert must name it.
    is_required: bool,
}

async fn columns(tx: Tx<'_, '_>, table: &Table) -> Result<BTreeMap<String, Found>, Failure> {
    let sql = "SELECT attname::text, format_type(atttypid, atttypmod), \
                      attnotnull AND NOT atthasdef AND attidentity = '' AND attgenerated = '' \
               FROM pg_attribute WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped";
    let rows = tx.query(sql, &[&table.name]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, Found { kind: row.try_get(1)?, is_required: row.try_get(2)? })))
        .collect()
}

/// Returns the columns of each unique index that holds for all rows, sorted by name.
async fn unique_columns(tx: Tx<'_, '_>, table: &Table) -> Result<Vec<Vec<String>>, Failure> {
    let sql = "SELECT array(SELECT attname::text FROM pg_attribute \
                            WHERE attrelid = indrelid AND attnum = ANY (indkey) ORDER BY attname::text COLLATE \"C\") \
               FROM pg_index WHERE indrelid = to_regclass(quote_ident($1)) AND indisunique AND indpred IS NULL \
                    AND indexprs IS NULL";
    let rows = tx.query(sql, &[&table.name]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
