//! The index in SQLite: tables that anybody may query, in a file of their own.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::to_millis;
use stint_core::ports::PortResult;
use stint_embedded::rusqlite::{Connection, OptionalExtension, Result, params};
use stint_embedded::{Database, Embedded};

use super::{Changes, Index, IndexCounts, ItemRow, PriceRow, Snapshot, StashRow};

/// Append to these, never change one. `docs/fleets/poe-stashes.md` shows the tables to users.
const MIGRATIONS: &[&str] = &["
    -- Times are milliseconds since the epoch: when the upstream answered. `page` is the change id that was asked for.
    CREATE TABLE stashes (
        id TEXT PRIMARY KEY,
        listed INTEGER NOT NULL,
        account TEXT,
        tab TEXT,
        kind TEXT,
        league TEXT,
        page TEXT NOT NULL,
        observed_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- What is in the listed stashes. `price` is for one item, by its note or by its tab's name; `price_kind` is `price` or
    -- `b/o`; `currency` is `offer` when the price is a ratio of an exchange. `json` is the item as it came.
    CREATE TABLE items (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        stash TEXT NOT NULL,
        name TEXT,
        type_line TEXT,
        base_type TEXT,
        stack_size INTEGER,
        note TEXT,
        price REAL,
        currency TEXT,
        price_kind TEXT,
        first_seen INTEGER NOT NULL,
        changed_at INTEGER NOT NULL,
        observed_at INTEGER NOT NULL,
        json TEXT NOT NULL
    ) STRICT;
    CREATE INDEX items_by_stash ON items (stash);

    -- What has happened to items: `new`, `changed`, `removed`. The old ones are forgotten.
    CREATE TABLE events (
        number INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        event TEXT NOT NULL,
        item TEXT NOT NULL,
        stash TEXT NOT NULL,
        price REAL,
        currency TEXT
    ) STRICT;
    CREATE INDEX events_by_time ON events (at);
"];

/// Adds an item; what happens to one that is known has to follow.
macro_rules! insert_item {
    () => {
        "INSERT INTO items (id, stash, name, type_line, base_type, stack_size, note, price, currency, price_kind,
            first_seen, changed_at, observed_at, json)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?11, ?12)"
    };
}

/// The index of one realm's stashes.
pub struct SqliteIndex {
    database: Database,
}

impl SqliteIndex {
    /// Opens `poe-index.db`.
    pub fn open(embedded: &Embedded) -> PortResult<SqliteIndex> {
        Ok(SqliteIndex { database: embedded.database("poe-index.db", MIGRATIONS)? })
    }
}

#[async_trait]
impl Index for SqliteIndex {
    async fn apply(&self, snapshot: Snapshot) -> PortResult<Changes> {
        self.database.write("take over a page", move |connection| Work { connection, snapshot: &snapshot }.all()).await
    }

    async fn forget_events(&self, before: Timestamp) -> PortResult<()> {
        let before = to_millis(before);
        let forget = self.database.write("forget events", move |connection| {
            connection.prepare_cached("DELETE FROM events WHERE at < ?1")?.execute([before]).map(|_| ())
        });
        forget.await
    }

    async fn counts(&self) -> PortResult<IndexCounts> {
        let count = |connection: &Connection, statement| -> Result<u64> {
            let count: i64 = connection.query_row(statement, [], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        };
        let counts = self.database.read("count stashes and items", move |connection| {
            let stashes = count(connection, "SELECT count(*) FROM stashes WHERE listed = 1")?;
            Ok(IndexCounts { stashes, items: count(connection, "SELECT count(*) FROM items")? })
        });
        counts.await
    }
}

/// What is kept of an item that was seen before.
struct Known {
    json: String,
    price: Option<(f64, Option<String>)>,
    observed_at: i64,
}

/// One page, within the transaction.
struct Work<'a> {
    connection: &'a Connection,
    snapshot: &'a Snapshot,
}

impl Work<'_> {
    fn all(&self) -> Result<Changes> {
        let mut changes = Changes::default();
        for stash in &self.snapshot.stashes {
            if self.is_outdated(&stash.id)? {
                changes.outdated += 1;
                continue;
            }
            self.take_over(stash)?;
            changes.stashes += 1;
            changes.unlisted += u64::from(!stash.listed);
            self.take_over_items(stash, &mut changes)?;
        }
        Ok(changes)
    }

    fn at(&self) -> i64 {
        to_millis(self.snapshot.observed_at)
    }

    fn is_outdated(&self, stash: &str) -> Result<bool> {
        let mut select = self.connection.prepare_cached("SELECT observed_at FROM stashes WHERE id = ?1")?;
        let known: Option<i64> = select.query_row([stash], |row| row.get(0)).optional()?;
        Ok(known.is_some_and(|known| known > self.at()))
    }

    /// Of a stash that is listed no more, only that is known; its name and owner stay as they were seen.
    fn take_over(&self, stash: &StashRow) -> Result<()> {
        let mut upsert = self.connection.prepare_cached(
            "INSERT INTO stashes (id, listed, account, tab, kind, league, page, observed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (id) DO UPDATE SET
                listed = excluded.listed, page = excluded.page, observed_at = excluded.observed_at,
                account = iif(excluded.listed, excluded.account, account), tab = iif(excluded.listed, excluded.tab, tab),
                kind = iif(excluded.listed, excluded.kind, kind), league = iif(excluded.listed, excluded.league, league)",
        )?;
        let StashRow { id, listed, account, tab, kind, league, .. } = stash;
        let page = self.snapshot.page.to_string();
        upsert.execute(params![id, listed, account, tab, kind, league, page, self.at()]).map(|_| ())
    }

    fn take_over_items(&self, stash: &StashRow, changes: &mut Changes) -> Result<()> {
        let mut known = self.known(&stash.id)?;
        for item in &stash.items {
            match known.remove(&item.id) {
                Some(known) if known.is(item) => {}
                Some(known) if known.observed_at > self.at() => {}
                Some(_) => {
                    self.put(stash, item)?;
                    self.event("changed", &item.id, &stash.id, item.price.as_ref())?;
                    changes.changed += 1;
                }
                None if self.put_new(stash, item)? => {
                    self.event("new", &item.id, &stash.id, item.price.as_ref())?;
                    changes.new += 1;
                }
                // It is known from another stash, perhaps as of later.
                None if self.elsewhere(&item.id)?.is_some_and(|observed_at| observed_at > self.at()) => {}
                None => {
                    self.put(stash, item)?;
                    self.event("changed", &item.id, &stash.id, item.price.as_ref())?;
                    changes.changed += 1;
                }
            }
        }
        for (id, known) in known.into_iter().filter(|(_, known)| known.observed_at <= self.at()) {
            self.remove(&id)?;
            let price = known.price.map(|(each, currency)| (each, currency.unwrap_or_default()));
            self.write_event("removed", &id, &stash.id, price.as_ref().map(|(each, currency)| (*each, &**currency)))?;
            changes.removed += 1;
        }
        Ok(())
    }

    fn known(&self, stash: &str) -> Result<HashMap<String, Known>> {
        let mut select = self
            .connection
            .prepare_cached("SELECT id, json, price, currency, observed_at FROM items WHERE stash = ?1")?;
        let rows = select.query_map([stash], |row| {
            let price = row.get::<_, Option<f64>>(2)?;
            let currency = row.get(3)?;
            let known =
                Known { json: row.get(1)?, price: price.map(|each| (each, currency)), observed_at: row.get(4)? };
            Ok((row.get(0)?, known))
        })?;
        rows.collect()
    }

    fn elsewhere(&self, item: &str) -> Result<Option<i64>> {
        let mut select = self.connection.prepare_cached("SELECT observed_at FROM items WHERE id = ?1")?;
        select.query_row([item], |row| row.get(0)).optional()
    }

    /// Adds an item, unless it is known: most items that are not of their stash are new, and one look-up will do for them.
    fn put_new(&self, stash: &StashRow, item: &ItemRow) -> Result<bool> {
        const INSERT: &str = concat!(insert_item!(), " ON CONFLICT (id) DO NOTHING");
        self.write_item(INSERT, stash, item)
    }

    fn put(&self, stash: &StashRow, item: &ItemRow) -> Result<()> {
        const UPSERT: &str = concat!(
            insert_item!(),
            " ON CONFLICT (id) DO UPDATE SET
                stash = excluded.stash, name = excluded.name, type_line = excluded.type_line,
                base_type = excluded.base_type, stack_size = excluded.stack_size, note = excluded.note,
                price = excluded.price, currency = excluded.currency, price_kind = excluded.price_kind,
                changed_at = excluded.changed_at, observed_at = excluded.observed_at, json = excluded.json"
        );
        self.write_item(UPSERT, stash, item).map(drop)
    }

    /// Writes an item by this statement. Answers whether anything was written.
    fn write_item(&self, statement: &str, stash: &StashRow, item: &ItemRow) -> Result<bool> {
        let ItemRow { id, name, type_line, base_type, stack_size, note, price, json } = item;
        let (each, currency, kind) = match price {
            Some(PriceRow { each, currency, kind }) => (Some(each), Some(currency), Some(kind)),
            None => (None, None, None),
        };
        let values =
            params![id, stash.id, name, type_line, base_type, stack_size, note, each, currency, kind, self.at(), json];
        self.connection.prepare_cached(statement)?.execute(values).map(|rows| rows > 0)
    }

    fn remove(&self, item: &str) -> Result<()> {
        self.connection.prepare_cached("DELETE FROM items WHERE id = ?1")?.execute([item]).map(|_| ())
    }

    fn event(&self, event: &str, item: &str, stash: &str, price: Option<&PriceRow>) -> Result<()> {
        self.write_event(event, item, stash, price.map(|price| (price.each, &*price.currency)))
    }

    fn write_event(&self, event: &str, item: &str, stash: &str, price: Option<(f64, &str)>) -> Result<()> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO events (at, event, item, stash, price, currency) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let (each, currency) = price.unzip();
        insert.execute(params![self.at(), event, item, stash, each, currency]).map(|_| ())
    }
}

impl Known {
    /// Whether nothing has changed: neither the item, nor what its tab's name asks for it.
    fn is(&self, item: &ItemRow) -> bool {
        let known = self.price.as_ref().map(|(each, currency)| (*each, currency.as_deref()));
        let price = item.price.as_ref().map(|price| (price.each, Some(&*price.currency)));
        known == price && self.json == item.json
    }
}
