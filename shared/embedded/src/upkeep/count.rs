//! Estimates how many rows a damaged table had.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use rusqlite::Connection;

use super::quoted;

/// The number of rows of a table before it was damaged, as far as it can be known.
pub(super) struct Expected {
    pub(super) rows: u64,
    /// Whether there cannot have been more.
    pub(super) is_exact: bool,
}

/// Counts by the undamaged parts: an index has an entry for each row of its table, and each page stores its number of
/// rows.
pub(super) fn expected_rows(connection: &Connection, table: &str, without_rowid: bool) -> Expected {
    let by_index = indexes(connection, table).into_iter().filter_map(|index| {
        let sql = format!("SELECT count(*) FROM {} INDEXED BY {}", quoted(table), quoted(&index));
        entries(connection, &sql)
    });
    let by_index = by_index.max();
    let (by_pages, is_whole) = by_pages(connection, table, without_rowid).unwrap_or((0, false));
    Expected { rows: by_index.unwrap_or(0).max(by_pages), is_exact: by_index.is_some() || is_whole }
}

fn entries(connection: &Connection, sql: &str) -> Option<u64> {
    connection.query_row(sql, [], |row| row.get::<_, i64>(0)).ok().map(i64::unsigned_abs)
}

/// Returns the indexes of a table that have an entry for each row. A partial index does not.
fn indexes(connection: &Connection, table: &str) -> Vec<String> {
    let names = || -> rusqlite::Result<Vec<String>> {
        let sql = "SELECT name FROM pragma_index_list(?1) WHERE partial = 0 AND origin <> 'pk'";
        let mut select = connection.prepare(sql)?;
        select.query_map([table], |row| row.get(0))?.collect()
    };
    names().unwrap_or_default()
}

/// Returns the number of rows that the table's pages state, and whether all pages state it. Rows are in leaf pages, or
/// in all pages if the table is an index of its own primary key.
fn by_pages(connection: &Connection, table: &str, without_rowid: bool) -> Option<(u64, bool)> {
    let rows_in = if without_rowid { "pagetype IN ('leaf', 'internal')" } else { "pagetype = 'leaf'" };
    let sql = format!(
        "SELECT ifnull(sum(CASE WHEN {rows_in} THEN ncell ELSE 0 END), 0), ifnull(max(pagetype = 'corrupted'), 0)
         FROM dbstat WHERE name = ?1"
    );
    let row = connection.query_row(&sql, [table], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?)));
    let (rows, has_corrupted) = row.ok()?;
    let hidden = if has_corrupted { cells_of_corrupted(connection, table).unwrap_or_default() } else { 0 };
    Some((rows.unsigned_abs() + hidden, !has_corrupted))
}

/// Returns the number of cells that pages of unknown type state. A cell is a row, or refers to a page with at least
/// one.
/// <https://www.sqlite.org/fileformat2.html#b_tree_pages>
fn cells_of_corrupted(connection: &Connection, table: &str) -> Option<u64> {
    let page_bytes: u64 =
        connection.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0)).ok()?.unsigned_abs();
    let mut file = File::open(connection.path()?).ok()?;
    // The first page begins with another header, and contains no table of ours.
    let sql = "SELECT pageno FROM dbstat WHERE name = ?1 AND pagetype = 'corrupted' AND pageno > 1";
    let mut select = connection.prepare(sql).ok()?;
    let mut rows = select.query([table]).ok()?;
    let mut cells = 0;
    while let Some(row) = rows.next().ok()? {
        let page = row.get::<_, i64>(0).ok()?.unsigned_abs();
        let mut count = [0; 2];
        file.seek(SeekFrom::Start((page - 1) * page_bytes + 3)).ok()?;
        file.read_exact(&mut count).ok()?;
        let count = u64::from(u16::from_be_bytes(count));
        // Each cell takes two bytes in the list of cells, after a header of eight.
        cells += if count * 2 + 8 <= page_bytes { count } else { 0 };
    }
    Some(cells)
}
