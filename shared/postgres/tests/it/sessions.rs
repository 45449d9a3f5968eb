//! What a session is like: its time zone, its limits, and what it may do.

use jiff::Timestamp;
use stint_core::ports::PortError;
use stint_postgres::testing::run;
use stint_postgres::{FailureKind, Isolation, Write};

use crate::{numbers, open, postgres, reader};

#[test]
fn a_session_has_its_time_zone_and_limits() {
    run(async |database| {
        // What a server may have been told to be.
        let client = database.administrator().await;
        let unusual = format!("ALTER DATABASE {} SET TimeZone = 'America/New_York'", database.name());
        client.batch_execute(&unusual).await.unwrap();
        let sql = "SELECT current_setting('TimeZone'), current_setting('statement_timeout'), \
                   current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout'), \
                   current_setting('application_name'), current_setting('transaction_read_only')";
        let texts = |rows: Vec<stint_postgres::tokio_postgres::Row>| -> Vec<String> {
            (0..6).map(|column| rows[0].get(column)).collect()
        };
        let rows = postgres(&database).query("read", sql, &[]).await.unwrap();
        assert_eq!(texts(rows), ["UTC", "30s", "10s", "1min", "tests", "off"]);
        let rows = reader(&database).query("read", sql, &[]).await.unwrap();
        assert_eq!(texts(rows), ["UTC", "30s", "10s", "1min", "tests", "on"]);
        // A time without a zone means UTC, as for the comparison of two columns of different types.
        let sql = "SELECT '2018-01-07 17:02:00'::timestamp::timestamptz";
        let time: Timestamp = reader(&database).query("read", sql, &[]).await.unwrap()[0].get(0);
        assert_eq!(time, "2018-01-07T17:02:00Z".parse().unwrap());
    });
}

#[test]
fn a_reader_cannot_write() {
    run(async |database| {
        numbers(&database, &[1]).await;
        let reader = reader(&database);
        let writes = [
            "INSERT INTO numbers VALUES (2, 2)",
            "WITH gone AS (DELETE FROM numbers RETURNING id) SELECT id FROM gone",
            "CREATE TABLE others ()",
            "TRUNCATE numbers",
        ];
        for sql in writes {
            let failure = reader.query("write", sql, &[]).await.unwrap_err();
            assert_eq!(failure.sqlstate().map(|code| code.code()), Some("25006"), "{sql}: {failure}");
            assert!(failure.to_string().contains("this session may only read"), "{failure}");
            let failure = reader.snapshot("write", |tx| Box::pin(async move { tx.execute(sql, &[]).await })).await;
            assert_eq!(failure.unwrap_err().kind(), FailureKind::Refused, "{sql}");
        }
        let rows = reader.query("count", "SELECT count(*) FROM numbers", &[]).await.unwrap();
        assert_eq!(rows[0].get::<_, i64>(0), 1);
    });
}

#[test]
fn a_snapshot_sees_one_state() {
    run(async |database| {
        numbers(&database, &[1]).await;
        let client = database.administrator().await;
        let (reader, client) = (reader(&database), &client);
        let seen = reader.snapshot("count", |tx| {
            Box::pin(async move {
                let sql = "SELECT number FROM numbers";
                let before: i32 = tx.query(sql, &[]).await?[0].get(0);
                client.batch_execute("UPDATE numbers SET number = number + 1").await?;
                let after: i32 = tx.query(sql, &[]).await?[0].get(0);
                Ok((before, after))
            })
        });
        assert_eq!(seen.await.unwrap(), (0, 0));
    });
}

#[test]
fn an_error_has_the_code_the_constraint_and_no_value() {
    run(async |database| {
        let client = database.administrator().await;
        let table = "CREATE TABLE people (name text CONSTRAINT people_names UNIQUE, age smallint CHECK (age < 200))";
        client.batch_execute(table).await.unwrap();
        let (postgres, insert) = (postgres(&database), "INSERT INTO people VALUES ($1, $2)");
        postgres.write("store a person", insert, &[&"hidden", &30_i16]).await.unwrap();
        let failure = postgres.write("store a person", insert, &[&"hidden", &31_i16]).await.unwrap_err();
        assert_eq!((failure.kind(), failure.constraint()), (FailureKind::Rejected, Some("people_names")));
        let text = failure.to_string();
        assert!(text.starts_with("could not store a person (PostgreSQL): duplicate key value"), "{text}");
        assert!(text.contains("[SQLSTATE 23505, constraint people_names"), "{text}");
        assert!(!text.contains("hidden") && matches!(PortError::from(failure), PortError::Invalid(_)), "{text}");
        let failure = postgres.write("store a person", insert, &[&"hidden too", &999_i16]).await.unwrap_err();
        assert!(!failure.to_string().contains("hidden") && failure.to_string().contains("23514"), "{failure}");
        let failure = postgres.query("read", "SELECT * FROM nothing", &[]).await.unwrap_err();
        assert!(failure.to_string().contains("run the migrations"), "{failure}");
        assert!(matches!(PortError::from(failure), PortError::Backend { .. }));
    });
}

#[test]
fn a_refused_login_is_told_without_the_password() {
    run(async |database| {
        let mut settings = database.settings();
        settings.database_url = Some(database.url().replace("stint:stint@", "stint:hidden@").into());
        let failure = open(&settings).query("read", "SELECT 1", &[]).await.unwrap_err();
        let text = format!("{failure} {failure:?}");
        assert!(text.contains("28P01") && text.contains("check the user and the password"), "{text}");
        assert!(!text.contains("hidden"), "{text}");
        settings.database_url = Some(database.url().replace(database.name(), "stint_missing").into());
        let failure = open(&settings).query("read", "SELECT 1", &[]).await.unwrap_err();
        assert!(failure.to_string().contains("create the database"), "{failure}");
        assert!(failure.to_string().contains("/stint_missing"), "{failure}");
    });
}

#[test]
fn an_ignored_error_does_not_commit() {
    run(async |database| {
        numbers(&database, &[1]).await;
        let postgres = postgres(&database);
        let failure = postgres.transaction(Write::once("store"), |tx| {
            Box::pin(async move {
                tx.execute("UPDATE numbers SET number = 7", &[]).await?;
                // The server now ignores everything until the transaction ends.
                let _ = tx.query("SELECT 1 / 0", &[]).await;
                Ok(())
            })
        });
        let failure = failure.await.unwrap_err();
        assert!(failure.to_string().contains("its error was ignored"), "{failure}");
        assert_eq!(crate::number(&database, 1).await, 0);
    });
}

#[test]
fn a_failed_transaction_leaves_nothing_and_its_connection_is_used_again() {
    run(async |database| {
        numbers(&database, &[1]).await;
        let mut settings = database.settings();
        settings.postgres_pool_size = 1;
        let postgres = open(&settings);
        let own = |tx: stint_postgres::Tx<'_, '_>| tx.client().is_closed();
        let failure = postgres.transaction(Write::once("store").isolation(Isolation::Serializable), |tx| {
            Box::pin(async move {
                assert!(!own(tx));
                tx.execute("UPDATE numbers SET number = 7", &[]).await?;
                Err::<(), _>(stint_postgres::Failure::rejected("changed our mind"))
            })
        });
        assert_eq!(failure.await.unwrap_err().to_string(), "could not store (PostgreSQL): changed our mind");
        let pid = "SELECT number, pg_backend_pid() FROM numbers";
        let first = postgres.query("read", pid, &[]).await.unwrap();
        let second = postgres.query("read", pid, &[]).await.unwrap();
        assert_eq!(first[0].get::<_, i32>(0), 0);
        assert_eq!(first[0].get::<_, i32>(1), second[0].get::<_, i32>(1));
    });
}

#[test]
fn a_transaction_runs_in_a_spawned_task() {
    run(async |database| {
        numbers(&database, &[1]).await;
        let postgres = postgres(&database);
        let task = tokio::spawn(async move {
            let (local, add) = (5, String::from("UPDATE numbers SET number = number + $1"));
            let write = Write::once("add");
            let add = &add;
            postgres.transaction(write, |tx| Box::pin(async move { tx.execute(add, &[&local]).await })).await
        });
        assert_eq!(task.await.unwrap().unwrap(), 1);
        assert_eq!(crate::number(&database, 1).await, 5);
    });
}
