//! AWS.

use std::sync::Arc;

use anyhow::anyhow;
use stint_core::clock::Clock;
use stint_core::ports::{AlarmSink, Queue, QueueSettings, Receipt, Schedule, Wakeups};
use stint_host::SqsRecord;

use super::config::BackendSettings;
pub(crate) use stint_aws::Aws;

/// The account that the settings name.
pub(crate) async fn connect(settings: &BackendSettings, clock: Arc<dyn Clock>) -> anyhow::Result<Aws> {
    Aws::connect(settings.aws.clone(), clock).await.map_err(|error| anyhow!(error))
}

/// A queue.
pub(crate) fn queue(aws: &Aws, name: &str, settings: QueueSettings) -> Arc<dyn Queue> {
    aws.queue(name, settings)
}

/// The wake-ups.
pub(crate) fn wakeups(aws: &Aws) -> anyhow::Result<Arc<dyn Wakeups>> {
    Ok(aws.wakeups().map_err(|error| anyhow!(error))?)
}

/// The wake-ups, and the recurring schedules that infrastructure has created.
pub(crate) async fn schedules(aws: &Aws) -> anyhow::Result<Vec<Schedule>> {
    aws.schedules().await.map_err(|error| anyhow!(error))
}

/// A topic that receives alarms.
pub(crate) fn alarm_topic(aws: &Aws, topic: &str) -> Arc<dyn AlarmSink> {
    aws.alarm_topic(topic)
}

/// What proves the lease that an event source mapping took out for a message.
pub(crate) fn receipt(record: &SqsRecord) -> Receipt {
    let SqsRecord { receipt_handle, message_id, body, .. } = record;
    stint_aws::receipt(receipt_handle, message_id, record.receive_count(), body)
}
