//! Many rows: stored in one statement, read in portions.

use futures::TryStreamExt;
use futures::future::join_all;
use stint_postgres::testing::{TestDatabase, run};
use stint_postgres::{FailureKind, OnConflict, Upsert};

use crate::{postgres, reader};

async fn table(database: &TestDatabase) {
    let sql = "CREATE TABLE minutes (time bigint PRIMARY KEY, chats integer, name text, first text)";
    database.administrator().await.batch_execute(sql).await.unwrap();
}

fn minutes() -> Upsert {
    let others = [
        ("chats", "integer", OnConflict::Greatest),
        ("name", "text", OnConflict::ReplaceUnlessNull),
        ("first", "text", OnConflict::Keep),
    ];
    Upsert::new("minutes", &[("time", "bigint")], &others)
}

#[test]
fn a_batch_is_stored_once_however_often_it_arrives() {
    run(async |database| {
        table(&database).await;
        let (postgres, upsert) = (postgres(&database), minutes());
        let (times, first) = (vec![1_i64, 2], vec![Some("a"), Some("b")]);
        for (chats, names) in
            [(vec![Some(5), None], vec![Some("x"), None]), (vec![Some(3), Some(4)], vec![None, Some("y")])]
        {
            let stored = postgres.upsert("store minutes", &upsert, &[&times, &chats, &names, &first]).await.unwrap();
            assert_eq!(stored, 2);
        }
        let rows = postgres.query("read", "SELECT chats, name, first FROM minutes ORDER BY time", &[]).await.unwrap();
        let row = |index: usize| {
            let row = &rows[index];
            (row.get::<_, i32>(0), row.get::<_, &str>(1), row.get::<_, &str>(2))
        };
        assert_eq!((row(0), row(1)), ((5, "x", "a"), (4, "y", "b")));
    });
}

#[test]
fn an_older_row_does_not_replace_a_newer_one() {
    run(async |database| {
        table(&database).await;
        let columns = [("chats", "integer", OnConflict::Replace)];
        let upsert = Upsert::only_if("minutes", &[("time", "bigint")], &columns, "stored.chats < excluded.chats");
        let postgres = postgres(&database);
        for (chats, changed) in [(5, 1), (3, 0), (6, 1)] {
            let stored = postgres.upsert("store", &upsert, &[&vec![1_i64], &vec![chats]]).await.unwrap();
            assert_eq!(stored, changed, "{chats}");
        }
    });
}

#[test]
fn one_key_twice_in_a_batch_is_refused_with_the_remedy() {
    run(async |database| {
        table(&database).await;
        let columns = [("chats", "integer", OnConflict::Replace)];
        let upsert = Upsert::new("minutes", &[("time", "bigint")], &columns);
        let stored = postgres(&database).upsert("store", &upsert, &[&vec![1_i64, 1], &vec![1, 2]]).await;
        let failure = stored.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Rejected);
        assert!(failure.to_string().contains("merge the rows with the same key"), "{failure}");
    });
}

#[test]
fn batches_of_the_same_rows_in_any_order_do_not_hinder_each_other() {
    run(async |database| {
        table(&database).await;
        let (postgres, upsert) = (postgres(&database), minutes());
        let store = |turn: i64| {
            let times: Vec<i64> = (0..500).map(|index| if turn % 2 == 0 { index } else { 499 - index }).collect();
            let (postgres, upsert) = (postgres.clone(), upsert.clone());
            async move {
                let chats = vec![turn as i32; 500];
                let texts = vec![None::<&str>; 500];
                postgres.upsert("store", &upsert, &[&times, &chats, &texts, &texts]).await
            }
        };
        for stored in join_all((0..16).map(store)).await {
            assert_eq!(stored.unwrap(), 500);
        }
        let rows = postgres.query("read", "SELECT count(*), min(chats) FROM minutes", &[]).await.unwrap();
        assert_eq!((rows[0].get::<_, i64>(0), rows[0].get::<_, i32>(1)), (500, 15));
    });
}

#[test]
fn a_stream_gives_every_row_in_portions() {
    run(async |database| {
        let reader = reader(&database);
        let sql = "SELECT number FROM generate_series(1, $1::integer) AS number ORDER BY number";
        let mut stream = reader.stream("read", sql, &[&1_050], 100).await.unwrap();
        let mut portions = Vec::new();
        loop {
            let portion = stream.next_portion().await.unwrap();
            if portion.is_empty() {
                break;
            }
            portions.push(portion.len());
        }
        assert_eq!((portions.len(), portions.iter().sum::<usize>()), (11, 1_050));
        let rows = reader.stream("read", sql, &[&250], 100).await.unwrap().into_rows();
        let numbers: Vec<i32> = rows.map_ok(|row| row.get::<_, i32>(0)).try_collect().await.unwrap();
        assert_eq!(numbers, (1..=250).collect::<Vec<i32>>());
    });
}

#[test]
fn a_stream_that_is_dropped_leaves_its_place_free() {
    run(async |database| {
        let mut settings = database.settings();
        settings.postgres_pool_size = 1;
        let postgres = crate::open(&settings);
        let mut stream = postgres.stream("read", "SELECT generate_series(1, 1000)", &[], 10).await.unwrap();
        assert_eq!(stream.next_portion().await.unwrap().len(), 10);
        drop(stream);
        postgres.query("read", "SELECT 1", &[]).await.unwrap();
        let sql = "SELECT 1 / (number - 15) FROM generate_series(1, 20) AS number";
        let mut failing = postgres.stream("read", sql, &[], 10).await.unwrap();
        assert_eq!(failing.next_portion().await.unwrap().len(), 10);
        let failure = failing.next_portion().await.unwrap_err();
        assert!(failure.to_string().starts_with("could not read (PostgreSQL): division by zero"), "{failure}");
    });
}
