//! Time-outs and full pools.

use std::time::Duration;

use stint_postgres::testing::run;
use stint_postgres::{FailureKind, Write};

use crate::{number, numbers, open};

#[test]
fn a_slow_statement_is_cancelled() {
    run(async |database| {
        let mut settings = database.settings();
        settings.postgres_statement_seconds = 1;
        let failure = open(&settings).query("wait", "SELECT pg_sleep(60)", &[]).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::TimedOut);
        assert!(failure.to_string().contains("POSTGRES_STATEMENT_SECONDS"), "{failure}");
    });
}

#[test]
fn an_operation_ends_at_its_deadline_though_the_server_does_not() {
    run(async |database| {
        numbers(&database, &[1]).await;
        let write = Write::once("wait").within(Duration::from_millis(300));
        let postgres = crate::postgres(&database);
        let failure = postgres.transaction(write, |tx| {
            Box::pin(async move {
                tx.execute("UPDATE numbers SET number = 1", &[]).await?;
                tx.query("SELECT pg_sleep(2)", &[]).await
            })
        });
        assert_eq!(failure.await.unwrap_err().kind(), FailureKind::TimedOut);
        assert_eq!(number(&database, 1).await, 0);
    });
}

#[test]
fn a_lock_is_not_waited_for_without_end() {
    run(async |database| {
        numbers(&database, &[1]).await;
        let other = database.administrator().await;
        other.batch_execute("BEGIN; LOCK TABLE numbers").await.unwrap();
        let mut settings = database.settings();
        settings.postgres_lock_seconds = 1;
        let failure = open(&settings).query("read", "SELECT * FROM numbers", &[]).await.unwrap_err();
        assert!(
            failure.to_string().contains("55P03") && failure.to_string().contains("POSTGRES_LOCK_SECONDS"),
            "{failure}"
        );
    });
}

#[test]
fn a_full_server_and_a_full_pool_say_so() {
    run(async |database| {
        let client = database.administrator().await;
        let name = database.name();
        let limit = format!(
            "CREATE ROLE {name} LOGIN PASSWORD 'stint' CONNECTION LIMIT 1; GRANT ALL ON DATABASE {name} TO {name}"
        );
        client.batch_execute(&limit).await.unwrap();
        let mut settings = database.settings();
        settings.database_url = Some(database.url().replace("stint:stint@", &format!("{name}:stint@")).into());
        settings.postgres_retry_seconds = 1;
        settings.postgres_wait_seconds = 60;
        settings.postgres_pool_size = 1;
        let (first, second) = (open(&settings), open(&settings));
        let stream = first.stream("read", "SELECT 1", &[], 10).await.unwrap();
        let failure = second.query("read", "SELECT 1", &[]).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Unreachable);
        assert!(
            failure.to_string().contains("53300") && failure.to_string().contains("POSTGRES_POOL_SIZE"),
            "{failure}"
        );
        settings.postgres_retry_seconds = 30;
        settings.postgres_wait_seconds = 1;
        let busy = open(&settings);
        drop(stream);
        let stream = busy.stream("read", "SELECT 1", &[], 10).await.unwrap();
        let failure = busy.query("read", "SELECT 1", &[]).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Busy);
        assert!(failure.to_string().contains("raise POSTGRES_POOL_SIZE"), "{failure}");
        drop(stream);
        busy.query("read", "SELECT 1", &[]).await.unwrap();
        drop((first, second, busy));
        client.batch_execute(&format!("DROP OWNED BY {name}; DROP ROLE {name}")).await.unwrap();
    });
}

#[test]
fn a_connection_is_replaced_at_the_end_of_its_life() {
    run(async |database| {
        let pid = async |settings: &_| {
            let postgres = open(settings);
            let sql = "SELECT pg_backend_pid()";
            let first: i32 = postgres.query("read", sql, &[]).await.unwrap()[0].get(0);
            let second: i32 = postgres.query("read", sql, &[]).await.unwrap()[0].get(0);
            first == second
        };
        let mut settings = database.settings();
        assert!(pid(&settings).await);
        settings.postgres_lifetime_seconds = 0;
        assert!(!pid(&settings).await);
        settings.postgres_lifetime_seconds = 1_800;
        settings.postgres_idle_seconds = 0;
        assert!(!pid(&settings).await);
    });
}
