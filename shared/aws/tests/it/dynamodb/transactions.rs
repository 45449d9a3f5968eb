//! Transactions on DynamoDBLocal.

use std::sync::Arc;

use futures::future::join_all;
use stint_aws::DynamoError;
use stint_aws::dynamodb::{ActionFailure, FailedAction, Transacted};
use stint_aws::testing::{dynamo, run};
use stint_host::SystemClock;

use super::{Table, WITHIN, count, create, key};

async fn seen(table: &Table, ts: u64) -> Option<String> {
    let item = table.dynamo.get(table.name(), key(ts)).await.unwrap()?;
    Some(item["seen"].as_n().unwrap().clone())
}

#[test]
fn all_writes_are_made_or_none() {
    run(async {
        let table = Table::new().await;
        let name = table.name();
        let made = table.dynamo.transact(&[create(name, 1), count(name, 0)], None, WITHIN).await.unwrap();
        assert_eq!(made, Transacted::Committed);
        let refused = table.dynamo.transact(&[count(name, 0), create(name, 2), create(name, 1)], None, WITHIN).await;
        let failed = FailedAction { action: 2, reason: ActionFailure::Condition(Some(key(1))) };
        assert_eq!(refused.unwrap(), Transacted::Refused(vec![failed]));
        assert_eq!(table.dynamo.get(name, key(2)).await.unwrap(), None);
        assert_eq!(seen(&table, 0).await.unwrap(), "1");
    });
}

#[test]
fn a_known_token_changes_nothing() {
    run(async {
        let table = Table::new().await;
        let name = table.name();
        // A token is known in the whole account.
        let (one, two) = (format!("{name}-1"), format!("{name}-2"));
        for _ in 0..3 {
            let made = table.dynamo.transact(&[count(name, 0)], Some(&*one), WITHIN).await.unwrap();
            assert_eq!(made, Transacted::Committed);
        }
        assert_eq!(seen(&table, 0).await.unwrap(), "1");
        let other = table.dynamo.transact(&[count(name, 5)], Some(&*one), WITHIN).await.unwrap_err();
        assert!(matches!(other, DynamoError::Invalid { .. }), "{other}");
        table.dynamo.transact(&[count(name, 0)], Some(&*two), WITHIN).await.unwrap();
        assert_eq!(seen(&table, 0).await.unwrap(), "2");
    });
}

/// Refused once, it is made later by the same token: only what was committed is remembered.
#[test]
fn a_refused_transaction_may_be_sent_again() {
    run(async {
        let table = Table::new().await;
        let name = table.name();
        let actions = [create(name, 1), count(name, 0)];
        table.dynamo.transact(&[create(name, 1)], None, WITHIN).await.unwrap();
        let refused = table.dynamo.transact(&actions, Some(name), WITHIN).await.unwrap();
        assert!(matches!(refused, Transacted::Refused(_)));
        let delete = table.dynamo.client().delete_item().set_key(Some(key(1)));
        table.dynamo.delete(name, delete).await.unwrap();
        assert_eq!(table.dynamo.transact(&actions, Some(name), WITHIN).await.unwrap(), Transacted::Committed);
    });
}

/// Every writer has connections of its own and meets the others at one counter.
#[test]
fn concurrent_transactions_are_all_made_once() {
    run(async {
        const WRITERS: u64 = 8;
        const EACH: u64 = 20;
        let table = Table::new().await;
        let writers = (0..WRITERS).map(async |writer| {
            let dynamo = dynamo(Arc::new(SystemClock)).await;
            for round in 0..EACH {
                let own = create(table.name(), 100 + writer * EACH + round);
                let made = dynamo.transact(&[own, count(table.name(), 0)], None, WITHIN).await.unwrap();
                assert_eq!(made, Transacted::Committed);
            }
        });
        join_all(writers).await;
        assert_eq!(seen(&table, 0).await.unwrap(), (WRITERS * EACH).to_string());
    });
}

#[test]
fn transactions_beyond_the_limits_are_refused_here() {
    run(async {
        let table = Table::new().await;
        let many: Vec<_> = (0..101).map(|ts| count(table.name(), ts)).collect();
        for (actions, token, reason) in [
            (&many[..], None, "not 101"),
            (&[], None, "not 0"),
            (&many[..1], Some(""), "empty"),
            (&many[..1], Some(&*"t".repeat(37)), "36"),
        ] {
            let error = table.dynamo.transact(actions, token, WITHIN).await.unwrap_err();
            assert!(matches!(error, DynamoError::Invalid { .. }) && error.to_string().contains(reason), "{error}");
        }
        assert_eq!(table.dynamo.transact(&many[..100], None, WITHIN).await.unwrap(), Transacted::Committed);
        let error = table.dynamo.transact(&[count("absent", 1)], None, WITHIN).await.unwrap_err();
        assert!(matches!(error, DynamoError::Missing { .. }), "{error}");
        let twice = table.dynamo.transact(&[count(table.name(), 1), count(table.name(), 1)], None, WITHIN).await;
        assert!(matches!(twice, Err(DynamoError::Invalid { .. })), "{twice:?}");
    });
}
