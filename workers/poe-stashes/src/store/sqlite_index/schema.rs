//! The tables. `docs/fleets/poe-stashes.md` documents them for users.

use stint_embedded::upkeep::RowRule;

/// The rules for the rows: an item belongs to a stash.
pub(super) const ROWS: &[RowRule] =
    &[RowRule::References { table: "items", column: "stash", to: "stashes", key: "number" }];

/// Append to these, never change one.
pub(super) const MIGRATIONS: &[&str] = &[FIRST, ITEMS_BY_STASH];

const FIRST: &str = "
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
";

/// An index over all the ids of items, 64 random digits each, cost more than the rows themselves. Here stashes have
/// numbers, so that the only index of the items is short, and items that arrive together are stored together; events
/// are stored in the order of time. There is no foreign key to the stashes: it would be looked up for each item, and
/// stashes are never deleted.
const ITEMS_BY_STASH: &str = "
    ALTER TABLE stashes RENAME TO stashes_1;
    ALTER TABLE items RENAME TO items_1;
    ALTER TABLE events RENAME TO events_1;

    -- Times are milliseconds since the epoch: when the upstream answered. `page` is the change id that was asked for.
    CREATE TABLE stashes (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        listed INTEGER NOT NULL,
        account TEXT,
        tab TEXT,
        kind TEXT,
        league TEXT,
        page TEXT NOT NULL,
        observed_at INTEGER NOT NULL
    ) STRICT;

    -- What is in the listed stashes; `stash` is the stash's number. `price` is for one item, by its note or by its tab's
    -- name; `price_kind` is `price` or `b/o`; `currency` is `offer` when the price is a ratio of an exchange. `json` is the
    -- item as it came.
    CREATE TABLE items (
        number INTEGER PRIMARY KEY,
        stash INTEGER NOT NULL,
        id TEXT NOT NULL,
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
        json TEXT NOT NULL,
        UNIQUE (stash, id)
    ) STRICT;

    -- What has happened to items: `new`, `changed`, `removed`, and what was asked for them. The old ones are forgotten.
    CREATE TABLE events (
        at INTEGER NOT NULL,
        number INTEGER NOT NULL,
        event TEXT NOT NULL,
        item TEXT NOT NULL,
        stash INTEGER NOT NULL,
        price REAL,
        currency TEXT,
        PRIMARY KEY (at, number)
    ) STRICT, WITHOUT ROWID;

    INSERT INTO stashes (id, listed, account, tab, kind, league, page, observed_at)
        SELECT id, listed, account, tab, kind, league, page, observed_at FROM stashes_1;
    INSERT INTO items (stash, id, name, type_line, base_type, stack_size, note, price, currency, price_kind, first_seen,
            changed_at, json)
        SELECT stashes.number, items_1.id, name, type_line, base_type, stack_size, note, price, currency, price_kind,
            first_seen, changed_at, json
        FROM items_1 JOIN stashes ON stashes.id = items_1.stash ORDER BY stashes.number, items_1.number;
    INSERT INTO events (at, number, event, item, stash, price, currency)
        SELECT at, events_1.number, event, item, stashes.number, price, currency
        FROM events_1 JOIN stashes ON stashes.id = events_1.stash ORDER BY at, events_1.number;

    DROP TABLE events_1;
    DROP TABLE items_1;
    DROP TABLE stashes_1;
";
