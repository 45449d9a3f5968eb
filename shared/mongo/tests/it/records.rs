//! Records with a version.

use futures::future::join_all;
use stint_mongo::MongoRecords;
use stint_mongo::mongodb::bson::doc;
use stint_mongo::testing::{on_each_server, race_on_each_server};

#[test]
fn only_the_current_version_is_replaced() {
    race_on_each_server(async |database| {
        let handles =
            join_all((0..8).map(|_| async { MongoRecords::new(&database.connect().await, "throttles") })).await;
        assert_eq!(handles[0].load::<u32>("rank-fetcher").await.unwrap(), None);
        for version in 0..5 {
            let written = join_all((1..).zip(&handles).map(async |(number, handle)| {
                handle.replace("rank-fetcher", version, &number).await.unwrap().then_some(number)
            }));
            let winners: Vec<u32> = written.await.into_iter().flatten().collect();
            assert_eq!(winners.len(), 1, "version {version} was replaced by {winners:?}");
            assert_eq!(handles[0].load("rank-fetcher").await.unwrap(), Some((version + 1, winners[0])));
        }
        assert!(!handles[0].replace("reviver", 3, &1_u32).await.unwrap(), "there is none");
    });
}

#[test]
fn a_record_that_cannot_be_read_is_an_error() {
    on_each_server(async |database| {
        let mongo = database.connect().await;
        let damaged = doc! { "_id": "rank-fetcher", "version": 1_i64, "record": "{" };
        mongo.collection("throttles").insert_one(damaged).await.unwrap();
        let error = MongoRecords::new(&mongo, "throttles").load::<u32>("rank-fetcher").await.unwrap_err();
        assert!(error.to_string().starts_with("could not read the record 'rank-fetcher': "), "{error}");
    });
}
