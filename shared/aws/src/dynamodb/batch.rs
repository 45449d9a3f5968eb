//! Batches of writes, each of which is made or not by itself.
//!
//! If the process exits part-way, some of the writes are made. Puts and deletes are idempotent, so the caller sends all
//! of them again.

use std::time::Duration;

use aws_sdk_dynamodb::types::WriteRequest;

use super::Dynamo;
use super::backoff::Backoff;
use super::error::{DynamoError, context, explain, is_passing};

/// The most writes of a batch.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>
pub const MOST_IN_BATCH: usize = 25;

impl Dynamo {
    /// Makes all writes, 25 per request, and sends those again that DynamoDB left unprocessed, until `within` has
    /// passed. No two may be of the same item. After an error, some of the writes are made.
    pub async fn write_all(&self, table: &str, writes: Vec<WriteRequest>, within: Duration) -> Result<(), DynamoError> {
        let (all, mut waiting) = (writes.len(), writes);
        let mut backoff = Backoff::new(&self.clock, within);
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(MOST_IN_BATCH));
            let sent = self.patient.batch_write_item().request_items(table, waiting.clone()).send().await;
            let failure = match sent {
                Ok(answer) => {
                    waiting = answer.unprocessed_items.unwrap_or_default().remove(table).unwrap_or_default();
                    None
                }
                Err(error) if is_passing(&error) => Some(explain("write to", table, error)),
                Err(error) => return Err(explain("write to", table, error)),
            };
            let is_refused = failure.is_some() || !waiting.is_empty();
            waiting.extend(rest);
            if is_refused && !backoff.pause().await {
                let reason = format!("{} of {all} writes were left unprocessed", waiting.len());
                return Err(failure.unwrap_or(DynamoError::Throttled { context: context("write to", table), reason }));
            }
        }
        Ok(())
    }
}
