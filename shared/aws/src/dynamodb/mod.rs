//! DynamoDB: the client, and what the stores on it share.
//!
//! A store builds its requests with [`Dynamo::client`] where they are its own, and uses this module for the rest:
//! attribute values from JSON and back ([`attributes`]), conditional writes, [transactions](Dynamo::transact),
//! [batches](Dynamo::write_all), [pages](Dynamo::query), and errors that tell load from everything else.

pub mod attributes;
mod backoff;
mod batch;
mod error;
mod number;
mod pages;
mod tables;
mod transaction;

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use stint_core::clock::Clock;

pub use attributes::{AttributeError, Item};
pub use batch::MOST_IN_BATCH;
pub use error::{DynamoError, explain};
pub use pages::Items;
pub use tables::{KeyAttribute, KeyKind, TableDefinition};
pub use transaction::{ActionFailure, FailedAction, MOST_ACTIONS, Transacted};

/// The tables of an account and region. Clones share the connections.
///
/// The SDK repeats a request twice that had no answer, was throttled or met a fault of the service. It does not do so in
/// [`Dynamo::transact`] and [`Dynamo::write_all`], which wait on the clock until their own deadline.
#[derive(Clone)]
pub struct Dynamo {
    client: Client,
    /// The client whose requests are repeated here and not by the SDK.
    patient: Client,
    clock: Arc<dyn Clock>,
}

/// The outcome of a write with a condition.
#[derive(Debug, PartialEq)]
pub enum Written {
    /// The write is made. Carries the attributes that the request asks for with `return_values`.
    Done(Option<Item>),
    /// The condition does not hold. Carries the stored item if the request asks for it (`ALL_OLD`) and there is one.
    Refused(Option<Item>),
}

macro_rules! written {
    ($sent:expr, $error:ident, $action:literal, $table:expr) => {
        match $sent.await {
            Ok(done) => Ok(Written::Done(done.attributes)),
            Err(error) => match error.as_service_error() {
                Some($error::ConditionalCheckFailedException(refused)) => Ok(Written::Refused(refused.item.clone())),
                _ => Err(explain($action, $table, error)),
            },
        }
    };
}

impl Dynamo {
    pub(crate) fn new(config: &SdkConfig, clock: Arc<dyn Clock>) -> Dynamo {
        let patient = config.to_builder().retry_config(RetryConfig::disabled()).build();
        Dynamo { client: Client::new(config), patient: Client::new(&patient), clock }
    }

    /// Returns the client, to build requests with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the item with this key as of all writes acknowledged so far.
    pub async fn get(&self, table: &str, key: Item) -> Result<Option<Item>, DynamoError> {
        let get = self.client.get_item().table_name(table).set_key(Some(key)).consistent_read(true);
        let found = get.send().await.map_err(|error| explain("read", table, error))?;
        Ok(found.item)
    }

    /// Puts an item. The request is created with [`Dynamo::client`].
    ///
    /// The SDK repeats a put whose answer was lost, and the repetition may find its own item: a condition must be true
    /// of it, or the caller compares what [`Written::Refused`] carries.
    pub async fn put(&self, table: &str, put: PutItemFluentBuilder) -> Result<Written, DynamoError> {
        written!(put.table_name(table).send(), PutItemError, "write to", table)
    }

    /// Updates an item, likewise. An update that adds to a number needs a condition, because it may be made twice.
    pub async fn update(&self, table: &str, update: UpdateItemFluentBuilder) -> Result<Written, DynamoError> {
        written!(update.table_name(table).send(), UpdateItemError, "write to", table)
    }

    /// Deletes an item, likewise.
    pub async fn delete(&self, table: &str, delete: DeleteItemFluentBuilder) -> Result<Written, DynamoError> {
        written!(delete.table_name(table).send(), DeleteItemError, "delete from", table)
    }
}
