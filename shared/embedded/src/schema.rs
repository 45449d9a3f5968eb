//! The tables of the adapters. Migrations are numbered by position: append to them and never change one.

use crate::upkeep::RowRule;

/// Rules for the rows of `queues.db`. A message body is up to its fleet: one that cannot be decoded is dead-lettered.
pub(crate) const QUEUES_ROWS: &[RowRule] = &[
    RowRule::References { table: "messages", column: "queue", to: "queues", key: "id" },
    RowRule::References { table: "dead_letters", column: "queue", to: "queues", key: "id" },
    RowRule::SingleRow { table: "clock", make: "INSERT INTO clock (id, latest) VALUES (1, 0)" },
];

/// Rules for the rows of `keys.db`. A record that cannot be decoded is not damage: its key is read again.
pub(crate) const KEYS_ROWS: &[RowRule] = &[
    RowRule::References { table: "hold_groups", column: "account", to: "accounts", key: "id" },
    RowRule::References { table: "windows", column: "account", to: "accounts", key: "id" },
    RowRule::SingleRow { table: "ledger", make: "INSERT INTO ledger (id, revision) VALUES (1, 0)" },
];

/// `queues.db`: queues, parked messages, wake-ups, throttles, breakers, alarms, running hosts and listeners, and leases.
/// Times are milliseconds since the epoch.
pub(crate) const QUEUES: &[&str] = &[
    "
    CREATE TABLE queues (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

    -- AUTOINCREMENT: the id of a deleted message must not come back, or its old receipt would fit the new message.
    -- `loan` counts the receives for good and makes receipts unique; `receives` starts over at a redrive.
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        queue INTEGER NOT NULL,
        visible_at INTEGER NOT NULL,
        lent INTEGER NOT NULL DEFAULT 0,
        loan INTEGER NOT NULL DEFAULT 0,
        receives INTEGER NOT NULL DEFAULT 0,
        sent_at INTEGER NOT NULL,
        last_error TEXT,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX messages_by_visibility ON messages (queue, visible_at);

    CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY,
        queue INTEGER NOT NULL,
        loan INTEGER NOT NULL,
        receives INTEGER NOT NULL,
        sent_at INTEGER NOT NULL,
        died_at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX dead_letters_by_age ON dead_letters (queue, died_at);

    CREATE TABLE wakeups (
        name TEXT PRIMARY KEY,
        worker TEXT NOT NULL,
        at INTEGER NOT NULL,
        period INTEGER,
        lent_until INTEGER
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE throttles (
        worker TEXT PRIMARY KEY,
        concurrency INTEGER,
        paused INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
",
    "
    -- `record` is the state of an upstream's circuit breaker, as JSON; `version` grows with each change.
    CREATE TABLE breakers (
        upstream TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        record TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    -- Processes that run fleets in this folder, and when each last said so. `fleets` has commas between them.
    CREATE TABLE hosts (
        id TEXT PRIMARY KEY,
        fleets TEXT NOT NULL,
        started_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    -- Messages that wait for points. They lie beside the queues that they go back to, and not in `keys.db`, which can be
    -- made anew from what the upstream says.
    CREATE TABLE parked (
        queue TEXT NOT NULL,
        id TEXT NOT NULL,
        parked_at INTEGER NOT NULL,
        claimed_until INTEGER,
        body TEXT NOT NULL,
        UNIQUE (queue, id)
    ) STRICT;
    CREATE INDEX parked_by_age ON parked (queue, parked_at);

    -- The moves of messages out of a `keys.db` that are done.
    CREATE TABLE parked_moves (token TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

    -- The latest moment at which a deadline was written: when the clock shows an earlier one it was set back.
    CREATE TABLE clock (id INTEGER PRIMARY KEY CHECK (id = 1), latest INTEGER NOT NULL) STRICT;
    INSERT INTO clock (id, latest) VALUES (1, 0);
",
    "
    -- Wake-ups and throttles know a worker by its fleet too. Earlier versions had these two fleets, and no two of their
    -- workers shared a name.
    CREATE TEMP TABLE fleets_before (worker TEXT PRIMARY KEY, fleet TEXT NOT NULL);
    INSERT INTO fleets_before (worker, fleet) VALUES
        ('discover', 'warcraftlogs'), ('aggregator', 'warcraftlogs'), ('rank-fetcher', 'warcraftlogs'),
        ('refresher', 'warcraftlogs'), ('reviver', 'warcraftlogs'), ('db-generator', 'warcraftlogs'),
        ('follower', 'poe-stashes'), ('indexer', 'poe-stashes'), ('watcher', 'poe-stashes');

    ALTER TABLE wakeups RENAME TO wakeups_before;
    CREATE TABLE wakeups (
        fleet TEXT NOT NULL,
        name TEXT NOT NULL,
        worker TEXT NOT NULL,
        at INTEGER NOT NULL,
        period INTEGER,
        lent_until INTEGER,
        PRIMARY KEY (fleet, name)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO wakeups (fleet, name, worker, at, period, lent_until)
        SELECT fleet, name, worker, at, period, lent_until FROM wakeups_before JOIN fleets_before USING (worker);
    DROP TABLE wakeups_before;

    ALTER TABLE throttles RENAME TO throttles_before;
    CREATE TABLE throttles (
        fleet TEXT NOT NULL,
        worker TEXT NOT NULL,
        concurrency INTEGER,
        paused INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (fleet, worker)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO throttles (fleet, worker, concurrency, paused)
        SELECT fleet, worker, concurrency, paused FROM throttles_before JOIN fleets_before USING (worker);
    DROP TABLE throttles_before;
    DROP TABLE fleets_before;
",
    "
    -- Whether a recurring wake-up is due at multiples of its period since the epoch.
    ALTER TABLE wakeups ADD COLUMN aligned INTEGER NOT NULL DEFAULT 0;
",
    "
    -- Leases: `token` grows with each holder. A released lease has ended at 0, and keeps its row.
    CREATE TABLE leases (
        name TEXT PRIMARY KEY,
        holder TEXT NOT NULL,
        token INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- The listeners that processes run, and when each last said so. `state` is JSON.
    CREATE TABLE listeners (
        fleet TEXT NOT NULL,
        name TEXT NOT NULL,
        process TEXT NOT NULL,
        state TEXT NOT NULL,
        seen_at INTEGER NOT NULL,
        PRIMARY KEY (fleet, name, process)
    ) STRICT, WITHOUT ROWID;
",
    "
    -- `record` is what was told of an alarm, as JSON; `version` grows with each change.
    CREATE TABLE alarms (
        alarm TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        record TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
",
];

/// `limits.db`: rate limits. Times are milliseconds since the epoch; a token has as many parts as `period` has milliseconds.
pub(crate) const LIMITS: &[&str] = &["
    CREATE TABLE buckets (
        name TEXT PRIMARY KEY,
        parts INTEGER NOT NULL,
        period INTEGER NOT NULL,
        at INTEGER NOT NULL,
        full_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX buckets_by_end ON buckets (full_at);
"];

/// `keys.db`: the ledger.
pub(crate) const KEYS: &[&str] = &["
    -- Raised by every commit that changes the ledger, so that whoever keeps it in memory sees that his copy is old.
    CREATE TABLE ledger (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL) STRICT;
    INSERT INTO ledger (id, revision) VALUES (1, 0);

    CREATE TABLE accounts (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT;

    -- `amount` in micro-points; `ended` is the key's sequence number when the call ended, NULL while it runs.
    CREATE TABLE holds (
        account INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        amount INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        ended INTEGER,
        PRIMARY KEY (account, sequence)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE windows (
        account INTEGER NOT NULL,
        number INTEGER NOT NULL,
        record TEXT NOT NULL,
        PRIMARY KEY (account, number)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE parked (
        queue TEXT NOT NULL,
        id TEXT NOT NULL,
        parked_at INTEGER NOT NULL,
        lent_until INTEGER,
        body TEXT NOT NULL,
        UNIQUE (queue, id)
    ) STRICT;
    CREATE INDEX parked_by_age ON parked (queue, parked_at);
", "
    -- The holds of sixteen sequence numbers of a key in one row: a busy key changes hundreds of holds in one commit, and
    -- a row costs as much as its group. `number` is the sequence number divided by 16. `holds` is an array of
    -- [sequence, amount in micro-points, expires at, sequence number when the call ended or null while it runs].
    CREATE TABLE hold_groups (
        account INTEGER NOT NULL,
        number INTEGER NOT NULL,
        holds TEXT NOT NULL,
        PRIMARY KEY (account, number)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO hold_groups (account, number, holds)
        SELECT account, sequence / 16, json_group_array(json_array(sequence, amount, expires_at, ended))
        FROM holds GROUP BY account, sequence / 16;
    DROP TABLE holds;
", "
    -- Parked messages belong to `queues.db`. Those of earlier versions are moved there when the ledger is opened. The old
    -- name is gone, so that a process of an earlier version that still runs parks nothing that would never be found.
    ALTER TABLE parked RENAME TO parked_before;

    -- Names the move that is under way, from before the messages are copied until after they are deleted.
    CREATE TABLE parked_move (id INTEGER PRIMARY KEY CHECK (id = 1), token TEXT NOT NULL) STRICT;
"];
