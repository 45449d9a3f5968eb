//! Tests of the public interface on a real server.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod batches;
mod commit;
mod limits;
mod migrations;
mod outage;
mod proxy;
mod races;
mod sessions;
mod tls;

use std::sync::Arc;

use stint_core::clock::Clock;
use stint_host::SystemClock;
use stint_postgres::testing::TestDatabase;
use stint_postgres::{Postgres, PostgresReader, PostgresSettings};

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

fn open(settings: &PostgresSettings) -> Postgres {
    Postgres::open(settings, "tests", clock()).unwrap()
}

fn postgres(database: &TestDatabase) -> Postgres {
    open(&database.settings())
}

fn reader(database: &TestDatabase) -> PostgresReader {
    PostgresReader::open(&database.settings(), "tests", clock()).unwrap()
}

/// Creates a table of numbers, with one row of this id and number 0.
async fn numbers(database: &TestDatabase, ids: &[i32]) {
    let client = database.administrator().await;
    client.batch_execute("CREATE TABLE numbers (id integer PRIMARY KEY, number integer NOT NULL)").await.unwrap();
    for id in ids {
        client.execute("INSERT INTO numbers VALUES ($1, 0)", &[id]).await.unwrap();
    }
}

async fn number(database: &TestDatabase, id: i32) -> i32 {
    let client = database.administrator().await;
    client.query_one("SELECT number FROM numbers WHERE id = $1", &[&id]).await.unwrap().get(0)
}
