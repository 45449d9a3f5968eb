//! Definitions of tables, for tests and local use. On AWS, infrastructure creates the tables.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableDescription, TableStatus,
    TimeToLiveSpecification,
};

use super::Dynamo;
use super::error::{DynamoError, context, explain};
use crate::error::code;

/// How long a new table may take to become active.
const CREATION: Duration = Duration::from_secs(60);

/// The interval between two looks at it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A table: paid by request, with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDefinition {
    /// Its name.
    pub name: String,
    /// The attribute that selects the partition.
    pub partition: KeyAttribute,
    /// The attribute by which the items of a partition are sorted, if one may have several.
    pub sort: Option<KeyAttribute>,
    /// The attribute with the time, in seconds since the epoch, after which an item is deleted.
    pub expiry: Option<String>,
}

/// An attribute of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAttribute {
    /// Its name.
    pub name: String,
    /// The type of its values.
    pub kind: KeyKind,
}

/// The type of a key's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Text of at least one character.
    Text,
    /// A number.
    Number,
}

impl KeyAttribute {
    /// Returns an attribute with text.
    pub fn text(name: impl Into<String>) -> KeyAttribute {
        KeyAttribute { name: name.into(), kind: KeyKind::Text }
    }

    /// Returns an attribute with numbers.
    pub fn number(name: impl Into<String>) -> KeyAttribute {
        KeyAttribute { name: name.into(), kind: KeyKind::Number }
    }

    fn attribute_type(&self) -> ScalarAttributeType {
        match self.kind {
            KeyKind::Text => ScalarAttributeType::S,
            KeyKind::Number => ScalarAttributeType::N,
        }
    }
}

impl TableDefinition {
    fn keys(&self) -> impl Iterator<Item = (&KeyAttribute, KeyType)> {
        let sort = self.sort.iter().map(|sort| (sort, KeyType::Range));
        std::iter::once((&self.partition, KeyType::Hash)).chain(sort)
    }

    /// Returns whether an existing table has this key.
    fn matches(&self, table: &TableDescription) -> bool {
        let has_type = |name: &str, kind: &ScalarAttributeType| {
            let mut definitions = table.attribute_definitions().iter();
            definitions.any(|known| known.attribute_name() == name && known.attribute_type() == kind)
        };
        let has_key = |name: &str, role: &KeyType| {
            table.key_schema().iter().any(|known| known.attribute_name() == name && known.key_type() == role)
        };
        table.key_schema().len() == self.keys().count()
            && self.keys().all(|(key, role)| has_key(&key.name, &role) && has_type(&key.name, &key.attribute_type()))
    }
}

impl Dynamo {
    /// Creates a table unless there is one, and waits until it can be used. An existing table with another key is an
    /// error. Two processes may create it at once.
    pub async fn create_if_missing(&self, definition: &TableDefinition) -> Result<(), DynamoError> {
        let table = definition.name.as_str();
        let invalid = |reason: String| DynamoError::Invalid { context: context("create", table), reason };
        let mut create = self.client().create_table().table_name(table).billing_mode(BillingMode::PayPerRequest);
        for (key, role) in definition.keys() {
            let attribute =
                AttributeDefinition::builder().attribute_name(&key.name).attribute_type(key.attribute_type()).build();
            let element = KeySchemaElement::builder().attribute_name(&key.name).key_type(role).build();
            create = create
                .attribute_definitions(attribute.map_err(|error| invalid(error.to_string()))?)
                .key_schema(element.map_err(|error| invalid(error.to_string()))?);
        }
        match create.send().await {
            Ok(_) => {}
            Err(error) if code(&error) == Some("ResourceInUseException") => {}
            Err(error) => return Err(explain("create", table, error)),
        }
        let found = self.wait_for(table).await?;
        if !definition.matches(&found) {
            return Err(invalid("there is a table of this name with another key".to_owned()));
        }
        match &definition.expiry {
            Some(expiry) => self.expire(table, expiry).await,
            None => Ok(()),
        }
    }

    async fn wait_for(&self, table: &str) -> Result<TableDescription, DynamoError> {
        let deadline = stint_core::clock::after(self.clock.now(), CREATION);
        loop {
            let described = self.client().describe_table().table_name(table).send().await;
            let described = described.map_err(|error| explain("create", table, error))?;
            match described.table {
                Some(found) if found.table_status() == Some(&TableStatus::Active) => return Ok(found),
                _ if self.clock.now() >= deadline => {
                    let reason = format!("it is not active after {} s", CREATION.as_secs());
                    return Err(DynamoError::Backend { context: context("create", table), reason });
                }
                _ => self.clock.sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Sets the attribute by which items expire. Setting it again is an error of DynamoDB, which means that it is set.
    async fn expire(&self, table: &str, attribute: &str) -> Result<(), DynamoError> {
        let invalid = |reason: String| DynamoError::Invalid { context: context("create", table), reason };
        let specification = TimeToLiveSpecification::builder().attribute_name(attribute).enabled(true).build();
        let specification = specification.map_err(|error| invalid(error.to_string()))?;
        let update = self.client().update_time_to_live().table_name(table).time_to_live_specification(specification);
        let Err(error) = update.send().await else { return Ok(()) };
        let described = self.client().describe_time_to_live().table_name(table).send().await;
        let described = described.map_err(|error| explain("create", table, error))?;
        let known = described.time_to_live_description.and_then(|known| known.attribute_name);
        if known.as_deref() == Some(attribute) { Ok(()) } else { Err(explain("create", table, error)) }
    }
}
