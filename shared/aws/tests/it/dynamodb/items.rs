//! Items, batches, pages and tables.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::{
    AttributeValue, PutRequest, ReturnValue, ReturnValuesOnConditionCheckFailure, WriteRequest,
};
use futures::TryStreamExt;
use stint_aws::DynamoError;
use stint_aws::dynamodb::attributes::{from_json, to_json};
use stint_aws::dynamodb::{Item, KeyAttribute, TableDefinition, Written};
use stint_aws::testing::run;

use super::{Table, WITHIN, key, number};

#[test]
fn json_is_kept_to_the_last_digit() {
    run(async {
        let table = Table::new().await;
        let text =
            r#"{"a":[12345678901234567890123456789012345678,-0.125,{}],"b":{"empty":"","n":null,"ü":true},"f":1e-130}"#;
        let item: Item = key(1).into_iter().chain([("data".to_owned(), from_json(text).unwrap())]).collect();
        let put = table.dynamo.client().put_item().set_item(Some(item));
        assert_eq!(table.dynamo.put(table.name(), put).await.unwrap(), Written::Done(None));
        let found = table.dynamo.get(table.name(), key(1)).await.unwrap().unwrap();
        let returned = to_json(&found["data"]).unwrap();
        let digits =
            returned.replace(r#""f":1E-130"#, r#""f":1e-130"#).replace(&format!("0.{}1", "0".repeat(129)), "1e-130");
        assert_eq!(digits, text);
        assert_eq!(table.dynamo.get(table.name(), key(2)).await.unwrap(), None);
    });
}

/// The limits of this crate are those of the service: what it refuses would be refused there.
#[test]
fn numbers_beyond_the_limits_are_refused_there_too() {
    run(async {
        let table = Table::new().await;
        for refused in ["1e126", "1e-131", "123456789012345678901234567890123456789"] {
            assert!(from_json(refused).is_err(), "{refused}");
            let item: Item = key(1).into_iter().chain([("n".to_owned(), number(refused))]).collect();
            let put = table.dynamo.client().put_item().set_item(Some(item));
            let error = table.dynamo.put(table.name(), put).await.unwrap_err();
            assert!(matches!(error, DynamoError::Invalid { .. }), "{refused}: {error}");
            assert!(error.to_string().contains(table.name()), "{error}");
        }
    });
}

#[test]
fn a_refused_condition_shows_the_stored_item() {
    run(async {
        let table = Table::new().await;
        let put = |value| {
            let item: Item = key(1).into_iter().chain([("v".to_owned(), number(value))]).collect();
            let put = table.dynamo.client().put_item().set_item(Some(item));
            let put = put.condition_expression("attribute_not_exists(ts)");
            let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            table.dynamo.put(table.name(), put)
        };
        assert_eq!(put(1).await.unwrap(), Written::Done(None));
        let Written::Refused(Some(stored)) = put(2).await.unwrap() else { panic!("the item exists") };
        assert_eq!(stored["v"], number(1));
        let update = || {
            let update = table.dynamo.client().update_item().set_key(Some(key(1))).update_expression("SET v = :new");
            let update = update.condition_expression("v = :old").expression_attribute_values(":old", number(1));
            update.expression_attribute_values(":new", number(2)).return_values(ReturnValue::AllNew)
        };
        let Written::Done(Some(new)) = table.dynamo.update(table.name(), update()).await.unwrap() else {
            panic!("the value is 1")
        };
        assert_eq!(new["v"], number(2));
        assert_eq!(table.dynamo.update(table.name(), update()).await.unwrap(), Written::Refused(None));
        let delete = || {
            let delete = table.dynamo.client().delete_item().set_key(Some(key(1)));
            delete.condition_expression("attribute_exists(ts)")
        };
        assert_eq!(table.dynamo.delete(table.name(), delete()).await.unwrap(), Written::Done(None));
        assert_eq!(table.dynamo.delete(table.name(), delete()).await.unwrap(), Written::Refused(None));
    });
}

fn put(item: Item) -> WriteRequest {
    WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(item)).build().unwrap()).build()
}

/// 2,600 items of a kilobyte are three pages of a megabyte.
#[test]
fn a_query_goes_through_all_pages_in_order() {
    run(async {
        let table = Table::new().await;
        let text = AttributeValue::S("x".repeat(1000));
        let item = |ts| {
            put(key(ts).into_iter().chain([("text".to_owned(), text.clone()), ("n".to_owned(), number(ts))]).collect())
        };
        table.dynamo.write_all(table.name(), (0..2600).rev().map(item).collect(), WITHIN).await.unwrap();
        let query = || {
            let query = table.dynamo.client().query().key_condition_expression("#day = :day AND ts >= :from");
            let query = query.expression_attribute_names("#day", "day");
            query.expression_attribute_values(":day", AttributeValue::S("monday".to_owned()))
        };
        let all = query().expression_attribute_values(":from", number(0));
        let found: Vec<Item> = table.dynamo.query(table.name(), all).try_collect().await.unwrap();
        let times: Vec<u64> = found.iter().map(|item| item["ts"].as_n().unwrap().parse().unwrap()).collect();
        assert_eq!(times, (0..2600).collect::<Vec<_>>());
        // Pages may be empty after a filter, and smaller on request.
        let few = query().expression_attribute_values(":from", number(2500)).limit(7);
        let few = few.filter_expression("n = :last").expression_attribute_values(":last", number(2599));
        let found: Vec<Item> = table.dynamo.query(table.name(), few).try_collect().await.unwrap();
        assert_eq!(found.len(), 1);
        let scanned: Vec<Item> =
            table.dynamo.scan(table.name(), table.dynamo.client().scan()).try_collect().await.unwrap();
        let distinct: HashSet<&String> = scanned.iter().map(|item| item["ts"].as_n().unwrap()).collect();
        assert_eq!((scanned.len(), distinct.len()), (2600, 2600));
    });
}

#[test]
fn a_batch_with_an_item_twice_is_invalid() {
    run(async {
        let table = Table::new().await;
        table.dynamo.write_all(table.name(), Vec::new(), WITHIN).await.unwrap();
        let error = table.dynamo.write_all(table.name(), vec![put(key(1)), put(key(1))], WITHIN).await.unwrap_err();
        assert!(matches!(error, DynamoError::Invalid { .. }), "{error}");
    });
}

#[test]
fn a_table_is_created_once_and_only_as_it_is_defined() {
    run(async {
        let table = Table::new().await;
        let again =
            [table.dynamo.create_if_missing(&table.definition), table.dynamo.create_if_missing(&table.definition)];
        for created in futures::future::join_all(again).await {
            created.unwrap();
        }
        let other = TableDefinition { sort: Some(KeyAttribute::text("ts")), ..table.definition.clone() };
        let error = table.dynamo.create_if_missing(&other).await.unwrap_err();
        assert!(error.to_string().contains("with another key"), "{error}");
        let error = table.dynamo.get("absent", key(1)).await.unwrap_err();
        assert_eq!(error.to_string(), "table 'absent' of DynamoDB does not exist");
    });
}
