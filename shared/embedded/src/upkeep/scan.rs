//! Reads a damaged table.
//!
//! A table is a tree of pages, and one damaged page hides the rows in it or below it. A scan stops there. It continues
//! at the first row number after the page from which a row can be read.

use std::collections::BinaryHeap;

use rusqlite::Connection;

use super::quoted;
use super::salvage::{Table, Target};
use crate::database::damage::remedy;

/// The most parts of gaps that are tried. Because the widest gap is tried first, this finds every sound page between
/// damaged ones, unless it is very small compared with them.
const TRIES: u32 = 4_000;

/// Copies a table with row numbers.
pub(super) fn copy_by_number(from: &Connection, table: &Table, target: &mut Target<'_>) -> rusqlite::Result<()> {
    let sql = format!(
        "SELECT rowid, {} FROM {} NOT INDEXED WHERE rowid >= ?1 AND rowid <= ?2 ORDER BY rowid",
        table.written().join(", "),
        quoted(&table.name)
    );
    // No row has a number below 0. If nothing can be read from the lowest number on, the first page is damaged.
    let mut first = if is_readable(from, &sql, i64::MIN)? { i64::MIN } else { 0 };
    let mut gaps = Vec::new();
    while let Some(stopped) = copy_range(from, &sql, (first, i64::MAX), target)? {
        let Some(next) = next_readable(from, &sql, stopped)? else { break };
        gaps.push((stopped, next - 1));
        first = next;
    }
    gaps.into_iter().try_for_each(|gap| copy_within(from, &sql, gap, target))
}

/// Returns the first number after `stopped` from which a row can be read, or at which the table has ended; `None` if
/// the damage reaches to its end. The stride grows slowly, so that no page as large as the damaged one is skipped.
fn next_readable(from: &Connection, sql: &str, stopped: i64) -> rusqlite::Result<Option<i64>> {
    let (mut damaged, mut stride) = (stopped, 1_i64);
    let mut readable = loop {
        let Some(next) = stopped.checked_add(stride).filter(|next| *next < i64::MAX) else { return Ok(None) };
        if is_readable(from, sql, next)? {
            break next;
        }
        damaged = next;
        stride = stride.saturating_add(stride / 16).saturating_add(1);
    };
    while readable - damaged > 1 {
        let middle = damaged + (readable - damaged) / 2;
        if is_readable(from, sql, middle)? { readable = middle } else { damaged = middle }
    }
    Ok(Some(readable))
}

/// Returns whether the first row at or after a number can be read, or there is none.
fn is_readable(from: &Connection, sql: &str, first: i64) -> rusqlite::Result<bool> {
    let mut select = from.prepare_cached(sql)?;
    match select.query([first, i64::MAX]).and_then(|mut rows| rows.next().map(drop)) {
        Ok(()) => Ok(true),
        Err(error) if remedy(&error).is_some() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Copies the rows between damaged pages. The gap is halved again and again, the widest part first.
fn copy_within(from: &Connection, sql: &str, gap: (i64, i64), target: &mut Target<'_>) -> rusqlite::Result<()> {
    let mut parts = BinaryHeap::from([(gap.1.abs_diff(gap.0), gap.0, gap.1)]);
    let mut tries = 0;
    while let Some((_, first, last)) = parts.pop().filter(|_| tries < TRIES) {
        tries += 1;
        let Some(stopped) = copy_range(from, sql, (first, last), target)?.filter(|stopped| *stopped < last) else {
            continue;
        };
        let middle = stopped + (last - stopped) / 2;
        for (first, last) in [(stopped, middle), (middle + 1, last)] {
            parts.push((last.abs_diff(first), first, last));
        }
    }
    Ok(())
}

/// Copies the rows of a range. Returns where to continue, if damage has stopped it.
fn copy_range(
    from: &Connection,
    sql: &str,
    (first, last): (i64, i64),
    target: &mut Target<'_>,
) -> rusqlite::Result<Option<i64>> {
    let mut next = first;
    let copied = (|| {
        let mut select = from.prepare_cached(sql)?;
        let mut rows = select.query([first, last])?;
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(0)?;
            // Row numbers that do not increase come from a damaged page.
            if number < next {
                return Ok(true);
            }
            target.put(row, 1)?;
            match number.checked_add(1) {
                Some(after) => next = after,
                None => return Ok(false),
            }
        }
        Ok(false)
    })();
    match copied {
        Ok(false) => Ok(None),
        Ok(true) => Ok(Some(next)),
        Err(error) if remedy(&error).is_some() => Ok(Some(next)),
        Err(error) => Err(error),
    }
}

/// Copies a table that is an index of its primary key. Its keys may be text, and cannot be halved.
pub(super) fn copy_from_both_ends(from: &Connection, table: &Table, target: &mut Target<'_>) -> rusqlite::Result<()> {
    let columns = table.written().join(", ");
    for direction in ["ASC", "DESC"] {
        let order: Vec<String> = table.key.iter().map(|column| format!("{} {direction}", quoted(column))).collect();
        let sql = format!("SELECT {columns} FROM {} NOT INDEXED ORDER BY {}", quoted(&table.name), order.join(", "));
        let copied = (|| {
            let mut select = from.prepare(&sql)?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                target.put(row, 0)?;
            }
            Ok(())
        })();
        match copied {
            Ok(()) => return Ok(()),
            Err(error) if remedy(&error).is_some() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
