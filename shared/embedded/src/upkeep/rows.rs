//! Rows that are valid for SQLite and make no sense to the program.

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::{FileSpec, Finding, FindingKind, RowRule, quoted};

/// How many rows a finding names; the others are only counted.
const MAX_EXAMPLES: usize = 3;

/// The rows of a table that break one rule.
pub(super) struct BrokenRows {
    rule: RowRule,
    count: u64,
    /// The first of them, with the reasons.
    examples: Vec<String>,
}

impl BrokenRows {
    pub(super) fn finding(&self) -> Finding {
        let (what, table) = match self.rule {
            RowRule::Decodes { table, column, .. } => (format!("whose {column} cannot be read"), table),
            RowRule::References { table, column, to, .. } => (format!("whose {column} is not in {to}"), table),
            RowRule::SingleRow { table, .. } => {
                return Finding::new(FindingKind::Row, format!("the one row of {table} is missing"));
            }
        };
        let is_left = matches!(self.rule, RowRule::Decodes { removable: false, .. });
        let kind = if is_left { FindingKind::UnremovableRow } else { FindingKind::Row };
        let rows = if self.count == 1 { "row" } else { "rows" };
        let examples = self.examples.join("; ");
        Finding::new(kind, format!("{} {rows} of {table} {what}: {examples}", self.count))
    }

    /// Removes the rows, or creates the missing one. Returns the table and how many rows were removed, or `None` if the
    /// rule removes none.
    pub(super) fn remove(&self, connection: &Connection) -> rusqlite::Result<Option<(&'static str, u64)>> {
        match self.rule {
            RowRule::Decodes { removable: false, .. } => Ok(None),
            RowRule::Decodes { table, key, column, read, .. } => {
                let mut delete =
                    connection.prepare(&format!("DELETE FROM {} WHERE {} = ?1", quoted(table), quoted(key)))?;
                let mut removed = 0;
                for (row, _) in unreadable(connection, table, key, column, read)? {
                    removed += delete.execute(params![row])? as u64;
                }
                Ok(Some((table, removed)))
            }
            RowRule::References { table, column, to, key } => {
                let delete = format!("DELETE FROM {} WHERE {}", quoted(table), dangling(column, to, key));
                Ok(Some((table, connection.execute(&delete, [])? as u64)))
            }
            RowRule::SingleRow { make, .. } => connection.execute(make, []).map(|_| None),
        }
    }
}

/// Returns the rows that break the rules of `spec`. Skips a rule about a table that this schema does not have.
pub(super) fn broken_rows(connection: &Connection, spec: &FileSpec) -> rusqlite::Result<Vec<BrokenRows>> {
    let mut all = Vec::new();
    for rule in spec.rows {
        let (table, column) = rule.about();
        if connection.prepare(&format!("SELECT {column} FROM {}", quoted(table))).is_err() {
            continue;
        }
        let broken = broken(connection, *rule)?;
        if broken.count > 0 {
            all.push(broken);
        }
    }
    Ok(all)
}

fn broken(connection: &Connection, rule: RowRule) -> rusqlite::Result<BrokenRows> {
    let mut broken = BrokenRows { rule, count: 0, examples: Vec::new() };
    match rule {
        RowRule::SingleRow { table, .. } => {
            let sql = format!("SELECT NOT EXISTS (SELECT 1 FROM {})", quoted(table));
            broken.count = connection.query_row(&sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs();
        }
        RowRule::Decodes { table, key, column, read, .. } => {
            for (row, reason) in unreadable(connection, table, key, column, read)? {
                broken.count += 1;
                if broken.examples.len() < MAX_EXAMPLES {
                    broken.examples.push(format!("{} ({reason})", display_key(&row)));
                }
            }
        }
        RowRule::References { table, column, to, key } => {
            let (column_name, astray) = (quoted(column), dangling(column, to, key));
            let sql = format!("SELECT {column_name}, count(*) FROM {} WHERE {astray} GROUP BY 1", quoted(table));
            let mut select = connection.prepare(&sql)?;
            let rows = select.query_map([], |row| Ok((row.get::<_, Value>(0)?, row.get::<_, i64>(1)?)))?;
            for row in rows {
                let (named, count) = row?;
                broken.count += count.unsigned_abs();
                if broken.examples.len() < MAX_EXAMPLES {
                    broken.examples.push(format!("{count} of {}", display_key(&named)));
                }
            }
        }
    }
    Ok(broken)
}

/// Returns the keys of the rows whose text cannot be decoded, with the reasons.
fn unreadable(
    connection: &Connection,
    table: &str,
    key: &str,
    column: &str,
    read: fn(&str) -> Result<(), String>,
) -> rusqlite::Result<Vec<(Value, String)>> {
    let sql = format!(
        "SELECT {}, {column} FROM {} WHERE {column} IS NOT NULL",
        quoted(key),
        quoted(table),
        column = quoted(column)
    );
    let mut select = connection.prepare(&sql)?;
    let mut rows = select.query([])?;
    let mut unreadable = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(1)?.as_str();
        let outcome = text.map_err(|error| error.to_string()).and_then(read);
        if let Err(reason) = outcome {
            unreadable.push((row.get(0)?, reason));
        }
    }
    Ok(unreadable)
}

/// Returns the SQL condition for rows that refer to nothing.
fn dangling(column: &str, to: &str, key: &str) -> String {
    format!("{} NOT IN (SELECT {} FROM {})", quoted(column), quoted(key), quoted(to))
}

fn display_key(value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Real(number) => number.to_string(),
        Value::Null | Value::Blob(_) => "a row without a name".to_owned(),
    }
}
