//! Applies a page within a transaction: each of its stashes gets the content that the page shows.

use std::collections::HashMap;

use stint_core::clock::to_millis;
use stint_embedded::rusqlite::{CachedStatement, Connection, OptionalExtension, Result, Row, params};

use super::super::{Changes, ItemRow, PriceRow, Snapshot, StashRow};

/// Applies `snapshot`, except for stashes with a later snapshot.
pub(super) fn apply(connection: &Connection, snapshot: &Snapshot) -> Result<Changes> {
    let mut page = Page::new(connection, snapshot)?;
    for stash in &snapshot.stashes {
        match page.known(&stash.id)? {
            Some((_, observed_at)) if observed_at > page.at => page.changes.outdated += 1,
            Some((number, _)) => {
                page.update_stash(number, stash)?;
                page.compare_items(number, &stash.items)?;
            }
            None => {
                let number = page.insert_stash(stash)?;
                page.insert_items(number, &stash.items)?;
            }
        }
    }
    Ok(page.changes)
}

/// A page in progress. Its statements are prepared once: there are thousands of items.
struct Page<'c> {
    at: i64,
    id: String,
    /// The number of the last event at this time.
    last_event: i64,
    changes: Changes,
    select_stash: CachedStatement<'c>,
    insert_stash: CachedStatement<'c>,
    update_stash: CachedStatement<'c>,
    select_items: CachedStatement<'c>,
    insert_item: CachedStatement<'c>,
    update_item: CachedStatement<'c>,
    delete_item: CachedStatement<'c>,
    insert_event: CachedStatement<'c>,
}

/// An item that the page no longer shows.
struct RemovedItem {
    number: i64,
    id: String,
    price: Option<f64>,
    currency: Option<String>,
}

impl<'c> Page<'c> {
    fn new(connection: &'c Connection, snapshot: &Snapshot) -> Result<Page<'c>> {
        let at = to_millis(snapshot.observed_at);
        let mut last_event = connection.prepare_cached("SELECT coalesce(max(number), 0) FROM events WHERE at = ?1")?;
        Ok(Page {
            at,
            id: snapshot.page.to_string(),
            last_event: last_event.query_row([at], |row| row.get(0))?,
            changes: Changes::default(),
            select_stash: connection.prepare_cached("SELECT number, observed_at FROM stashes WHERE id = ?1")?,
            insert_stash: connection.prepare_cached(
                "INSERT INTO stashes (id, listed, account, tab, kind, league, page, observed_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
            // For a stash that is no longer listed, only that is updated; its name and owner stay as last seen.
            update_stash: connection.prepare_cached(
                "UPDATE stashes SET listed = ?2, account = iif(?2, ?3, account), tab = iif(?2, ?4, tab),
                    kind = iif(?2, ?5, kind), league = iif(?2, ?6, league), page = ?7, observed_at = ?8
                 WHERE number = ?1",
            )?,
            select_items: connection
                .prepare_cached("SELECT number, id, price, currency, json FROM items WHERE stash = ?1")?,
            // If an item is in a stash twice, the first one counts.
            insert_item: connection.prepare_cached(
                "INSERT INTO items (stash, id, name, type_line, base_type, stack_size, note, price, currency, price_kind,
                    first_seen, changed_at, json)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?12)
                 ON CONFLICT (stash, id) DO NOTHING",
            )?,
            update_item: connection.prepare_cached(
                "UPDATE items SET name = ?3, type_line = ?4, base_type = ?5, stack_size = ?6, note = ?7, price = ?8,
                    currency = ?9, price_kind = ?10, changed_at = ?11, json = ?12
                 WHERE stash = ?1 AND id = ?2",
            )?,
            delete_item: connection.prepare_cached("DELETE FROM items WHERE number = ?1")?,
            insert_event: connection.prepare_cached(
                "INSERT INTO events (at, number, event, item, stash, price, currency)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?,
        })
    }

    /// Returns the number of a stash, and when it was observed.
    fn known(&mut self, stash: &str) -> Result<Option<(i64, i64)>> {
        self.select_stash.query_row([stash], |row| Ok((row.get(0)?, row.get(1)?))).optional()
    }

    fn insert_stash(&mut self, stash: &StashRow) -> Result<i64> {
        self.count(stash);
        let StashRow { id, listed, account, tab, kind, league, .. } = stash;
        self.insert_stash.insert(params![id, listed, account, tab, kind, league, self.id, self.at])
    }

    fn update_stash(&mut self, number: i64, stash: &StashRow) -> Result<()> {
        self.count(stash);
        let StashRow { listed, account, tab, kind, league, .. } = stash;
        self.update_stash.execute(params![number, listed, account, tab, kind, league, self.id, self.at]).map(drop)
    }

    fn count(&mut self, stash: &StashRow) {
        self.changes.stashes += 1;
        self.changes.unlisted += u64::from(!stash.listed);
    }

    /// Updates the items of a known stash to `items`.
    fn compare_items(&mut self, stash: i64, items: &[ItemRow]) -> Result<()> {
        let mut shown: HashMap<&str, &ItemRow> = items.iter().rev().map(|item| (&*item.id, item)).collect();
        let (mut changed, mut gone) = (Vec::new(), Vec::new());
        let mut rows = self.select_items.query([stash])?;
        while let Some(row) = rows.next()? {
            match shown.remove(row.get_ref("id")?.as_str()?) {
                Some(item) if is_as_stored(item, row)? => {}
                Some(item) => changed.push(item),
                None => gone.push(RemovedItem::read(row)?),
            }
        }
        drop(rows);
        for RemovedItem { number, id, price, currency } in gone {
            self.delete_item.execute([number])?;
            self.event("removed", &id, stash, price.map(|each| (each, currency.as_deref().unwrap_or_default())))?;
            self.changes.removed += 1;
        }
        for item in changed {
            execute(&mut self.update_item, stash, item, self.at)?;
            self.event("changed", &item.id, stash, price_of(item))?;
            self.changes.changed += 1;
        }
        self.insert_items(stash, items.iter().filter(|item| shown.contains_key(&*item.id)))
    }

    fn insert_items<'i>(&mut self, stash: i64, items: impl IntoIterator<Item = &'i ItemRow>) -> Result<()> {
        for item in items {
            if execute(&mut self.insert_item, stash, item, self.at)? {
                self.event("new", &item.id, stash, price_of(item))?;
                self.changes.new += 1;
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &str, item: &str, stash: i64, price: Option<(f64, &str)>) -> Result<()> {
        self.last_event += 1;
        let (each, currency) = price.unzip();
        self.insert_event.execute(params![self.at, self.last_event, event, item, stash, each, currency]).map(drop)
    }
}

impl RemovedItem {
    fn read(row: &Row<'_>) -> Result<RemovedItem> {
        Ok(RemovedItem {
            number: row.get("number")?,
            id: row.get("id")?,
            price: row.get("price")?,
            currency: row.get("currency")?,
        })
    }
}

/// Whether neither the item nor its price from the tab's name has changed.
fn is_as_stored(item: &ItemRow, row: &Row<'_>) -> Result<bool> {
    let price: Option<f64> = row.get("price")?;
    let currency = row.get_ref("currency")?.as_str_or_null()?;
    Ok(price_of(item) == price.map(|each| (each, currency.unwrap_or_default()))
        && row.get_ref("json")?.as_str()? == item.json)
}

/// Returns the price of one item, and its currency.
fn price_of(item: &ItemRow) -> Option<(f64, &str)> {
    item.price.as_ref().map(|price| (price.each, &*price.currency))
}

/// Inserts or updates an item. Returns whether anything was written.
fn execute(statement: &mut CachedStatement<'_>, stash: i64, item: &ItemRow, at: i64) -> Result<bool> {
    let ItemRow { id, name, type_line, base_type, stack_size, note, price, json } = item;
    let (each, currency, kind) = match price {
        Some(PriceRow { each, currency, kind }) => (Some(each), Some(currency), Some(kind)),
        None => (None, None, None),
    };
    let values = params![stash, id, name, type_line, base_type, stack_size, note, each, currency, kind, at, json];
    statement.execute(values).map(|rows| rows > 0)
}
