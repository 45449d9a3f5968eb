//! Copies everything that can still be read from a damaged file into a new one, table by table.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, Row, ToSql, Transaction, params_from_iter};
use serde::Serialize;

use super::count::expected_rows;
use super::quoted;
use super::scan::{copy_by_number, copy_from_both_ends};
use crate::database::damage::remedy;

/// What became of a table's rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableCount {
    /// The table.
    pub table: String,
    /// The number of rows in the new file.
    pub kept: u64,
    /// The number of rows that are lost.
    pub lost: u64,
    /// Whether `lost` is exact. If not, it is the lower bound.
    pub exact: bool,
}

/// A table of the damaged file.
pub(super) struct Table {
    pub(super) name: String,
    sql: String,
    /// The stored columns.
    columns: Vec<String>,
    /// The columns of its primary key if the table is an index of that key (WITHOUT ROWID); empty if it has row
    /// numbers.
    pub(super) key: Vec<String>,
    /// Whether a column is the row number.
    has_own_number: bool,
}

/// Copies everything that can be read from `from` into the empty `to`. Fails with a damage error if not even the schema
/// can be read.
pub(super) fn salvage(from: &Connection, to: &mut Connection) -> rusqlite::Result<Vec<TableCount>> {
    let (tables, later) = schema(from)?;
    let transaction = to.transaction()?;
    let mut counts = Vec::new();
    for table in &tables {
        transaction.execute_batch(&table.sql)?;
        let kept = copy_table(from, &transaction, table)?;
        let expected = expected_rows(from, &table.name, !table.key.is_empty());
        let (name, lost) = (table.name.clone(), expected.rows.saturating_sub(kept));
        counts.push(TableCount { table: name, kept, lost, exact: expected.is_exact });
    }
    later.iter().try_for_each(|sql| transaction.execute_batch(sql))?;
    continue_numbers(from, &transaction)?;
    for pragma in ["user_version", "application_id"] {
        let value: i64 = from.pragma_query_value(None, pragma, |row| row.get(0))?;
        transaction.pragma_update(None, pragma, value)?;
    }
    transaction.commit()?;
    Ok(counts)
}

/// Returns the tables, and the statements that create everything else.
fn schema(from: &Connection) -> rusqlite::Result<(Vec<Table>, Vec<String>)> {
    let mut select = from.prepare(
        "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let rows = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)))?;
    let (mut tables, mut later) = (Vec::new(), Vec::new());
    for row in rows {
        let (kind, name, sql) = row?;
        if kind == "table" { tables.push(Table::read(from, name, sql)?) } else { later.push(sql) }
    }
    Ok((tables, later))
}

impl Table {
    fn read(from: &Connection, name: String, sql: String) -> rusqlite::Result<Table> {
        let without_rowid: bool =
            from.query_row("SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1", [&name], |row| {
                row.get(0)
            })?;
        let mut select = from.prepare("SELECT name, pk, upper(type) FROM pragma_table_xinfo(?1) WHERE hidden = 0")?;
        let rows = select.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let columns: Vec<(String, u32, String)> = rows.collect::<rusqlite::Result<_>>()?;
        let mut key: Vec<&(String, u32, String)> = columns.iter().filter(|(_, place, _)| *place > 0).collect();
        key.sort_by_key(|(_, place, _)| *place);
        let has_own_number = !without_rowid && matches!(&key[..], [(_, _, kind)] if kind == "INTEGER");
        let key = if without_rowid { key.into_iter().map(|(column, ..)| column.clone()).collect() } else { Vec::new() };
        let columns = columns.into_iter().map(|(column, ..)| column).collect();
        Ok(Table { name, sql, columns, key, has_own_number })
    }

    /// Returns the columns to write, in SQL.
    pub(super) fn written(&self) -> Vec<String> {
        let number = (self.key.is_empty() && !self.has_own_number).then(|| "rowid".to_owned());
        number.into_iter().chain(self.columns.iter().map(|column| quoted(column))).collect()
    }
}

/// Continues the row numbers, so that a number that was used once is not used again: receipts identify messages by
/// them.
fn continue_numbers(from: &Connection, to: &Transaction<'_>) -> rusqlite::Result<()> {
    let numbers = || -> rusqlite::Result<Vec<(String, i64)>> {
        let mut select = from.prepare("SELECT name, seq FROM sqlite_sequence")?;
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    if to.prepare("SELECT 1 FROM sqlite_sequence").is_err() {
        return Ok(());
    }
    match numbers() {
        Ok(numbers) => {
            to.execute("DELETE FROM sqlite_sequence", [])?;
            let mut insert = to.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)")?;
            numbers.into_iter().try_for_each(|(name, number)| insert.execute((name, number)).map(drop))
        }
        // Far beyond every number that can have been used since the last row that is still there.
        Err(error) if remedy(&error).is_some() => {
            to.execute("UPDATE sqlite_sequence SET seq = seq + 1000000000000", []).map(drop)
        }
        Err(error) => Err(error),
    }
}

fn copy_table(from: &Connection, to: &Transaction<'_>, table: &Table) -> rusqlite::Result<u64> {
    let written = table.written();
    let places = vec!["?"; written.len()].join(", ");
    let insert = format!("INSERT OR IGNORE INTO {} ({}) VALUES ({places})", quoted(&table.name), written.join(", "));
    let mut target = Target { insert: to.prepare(&insert)?, columns: written.len(), kept: 0 };
    if table.key.is_empty() {
        copy_by_number(from, table, &mut target)?;
    } else {
        copy_from_both_ends(from, table, &mut target)?;
    }
    Ok(target.kept)
}

/// The table that rows are copied to.
pub(super) struct Target<'a> {
    insert: rusqlite::Statement<'a>,
    columns: usize,
    kept: u64,
}

/// A value as it is stored in the file.
struct Raw<'a>(ValueRef<'a>);

impl ToSql for Raw<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
    }
}

impl Target<'_> {
    /// Writes one row, whose values begin at column `first`. A row that the table does not accept, such as one with
    /// text in place of a number, is damaged and left out.
    pub(super) fn put(&mut self, row: &Row<'_>, first: usize) -> rusqlite::Result<()> {
        let values = (first..first + self.columns).map(|column| row.get_ref(column).map(Raw));
        let values: Vec<Raw<'_>> = values.collect::<rusqlite::Result<_>>()?;
        if values.iter().any(|value| matches!(value.0, ValueRef::Text(text) if std::str::from_utf8(text).is_err())) {
            return Ok(());
        }
        match self.insert.execute(params_from_iter(values)) {
            Ok(written) => self.kept += written as u64,
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
