//! A server that ends sessions, restarts, or is away.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use secrecy::SecretString;
use stint_postgres::config::TestServers;
use stint_postgres::testing::{block_on, run};
use stint_postgres::{FailureKind, PostgresSettings, Write};

use crate::{number, numbers, open, postgres};

/// The server ends a session in the middle of a transaction: everything is rolled back, and runs again.
#[test]
fn a_session_that_the_server_ends_before_the_commit_is_repeated() {
    run(async |database| {
        numbers(&database, &[1]).await;
        let (postgres, client, runs) = (postgres(&database), database.administrator().await, AtomicUsize::new(0));
        let (client, runs) = (&client, &runs);
        let added = postgres.transaction(Write::once("add"), |tx| {
            Box::pin(async move {
                let pid: i32 = tx.query("SELECT pg_backend_pid()", &[]).await?[0].get(0);
                tx.execute("UPDATE numbers SET number = number + 1", &[]).await?;
                if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                    client.execute("SELECT pg_terminate_backend($1, 5000)", &[&pid]).await?;
                }
                tx.execute("UPDATE numbers SET number = number + 10", &[]).await
            })
        });
        added.await.unwrap();
        assert_eq!((runs.load(Ordering::SeqCst), number(&database, 1).await), (2, 11));
    });
}

#[test]
fn an_idle_session_that_the_server_has_ended_is_not_noticed_by_the_caller() {
    run(async |database| {
        let (postgres, client) = (postgres(&database), database.administrator().await);
        let pid: i32 = postgres.query("read", "SELECT pg_backend_pid()", &[]).await.unwrap()[0].get(0);
        client.execute("SELECT pg_terminate_backend($1, 5000)", &[&pid]).await.unwrap();
        let other: i32 = postgres.query("read", "SELECT pg_backend_pid()", &[]).await.unwrap()[0].get(0);
        assert_ne!(pid, other);
    });
}

#[test]
fn a_server_that_is_away_is_named() {
    block_on(async {
        let mut settings = PostgresSettings::at("postgres://me:hidden@127.0.0.1:1/stats".into());
        settings.postgres_retry_seconds = 1;
        let failure = open(&settings).query("read the minutes", "SELECT 1", &[]).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Unreachable);
        let text = failure.to_string();
        assert!(
            text.contains("could not read the minutes (PostgreSQL): cannot connect to 127.0.0.1:1/stats"),
            "{text}"
        );
        assert!(text.contains("refused") && !text.contains("hidden"), "{text}");
    });
}

/// The second server of the tests, which is really stopped and started.
#[test]
fn the_pool_recovers_from_a_restart() {
    let program = TestServers::from_environment().and_then(|servers| servers.restart);
    let Some(program) = program else { return };
    let control = move |action: &str| {
        let output = Command::new(&program).arg(action).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let url: SecretString = control("url").trim().into();
    block_on(async {
        let postgres = open(&PostgresSettings::at(url));
        let table = "CREATE TABLE IF NOT EXISTS restarts (number integer); INSERT INTO restarts VALUES (0)";
        let created = postgres.transaction(Write::once("create"), |tx| Box::pin(async move { tx.batch(table).await }));
        created.await.unwrap();
        control("stop");
        // The transaction begins while the server is away, and waits for it.
        let started = thread::spawn(move || control("start"));
        let write = Write::once("add");
        let added = postgres.transaction(write, |tx| {
            Box::pin(async move { tx.execute("UPDATE restarts SET number = number + 1", &[]).await })
        });
        added.await.unwrap();
        started.join().unwrap();
        let sum = postgres.query("read", "SELECT max(number) FROM restarts", &[]).await.unwrap();
        assert_eq!(sum[0].get::<_, i32>(0), 1);
        postgres.write("clean up", "DROP TABLE restarts", &[]).await.unwrap();
    });
}
