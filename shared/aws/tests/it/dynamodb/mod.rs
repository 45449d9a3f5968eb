//! DynamoDB: against DynamoDBLocal, AWS's own model of it, and against scripted answers that it does not give.

mod items;
mod scripted;
mod transactions;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use stint_aws::dynamodb::{Dynamo, Item, KeyAttribute, TableDefinition};
use stint_aws::testing::{dynamo, unused_table};
use stint_host::SystemClock;

/// Long enough for any test, whose requests take milliseconds.
pub(super) const WITHIN: Duration = Duration::from_secs(60);

/// A table that no other test uses, of events as dcss-events keeps them.
pub(super) struct Table {
    pub(super) dynamo: Dynamo,
    pub(super) definition: TableDefinition,
}

impl Table {
    pub(super) async fn new() -> Table {
        let dynamo = dynamo(Arc::new(SystemClock)).await;
        let definition = TableDefinition {
            name: unused_table(),
            partition: KeyAttribute::text("day"),
            sort: Some(KeyAttribute::number("ts")),
            expiry: Some("expires".to_owned()),
        };
        dynamo.create_if_missing(&definition).await.unwrap();
        Table { dynamo, definition }
    }

    pub(super) fn name(&self) -> &str {
        &self.definition.name
    }
}

pub(super) fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(super) fn key(ts: u64) -> Item {
    Item::from([("day".to_owned(), AttributeValue::S("monday".to_owned())), ("ts".to_owned(), number(ts))])
}

/// Puts an item that must not exist yet.
pub(super) fn create(table: &str, ts: u64) -> TransactWriteItem {
    let put = Put::builder().table_name(table).set_item(Some(key(ts))).condition_expression("attribute_not_exists(ts)");
    let put = put.return_values_on_condition_check_failure("ALL_OLD".into());
    TransactWriteItem::builder().put(put.build().unwrap()).build()
}

/// Adds one to a counter.
pub(super) fn count(table: &str, ts: u64) -> TransactWriteItem {
    let update = Update::builder().table_name(table).set_key(Some(key(ts))).update_expression("ADD seen :one");
    let update = update.expression_attribute_values(":one", number(1));
    TransactWriteItem::builder().update(update.build().unwrap()).build()
}
