//! AWS, where this program was built without it.

use std::sync::Arc;

use anyhow::bail;
use stint_core::clock::Clock;
use stint_core::ports::{AlarmSink, Queue, QueueSettings, Schedule, Wakeups};

use super::config::BackendSettings;
use crate::built::built_without_cloud;

/// An account, of which there is none.
pub(crate) enum Aws {}

pub(crate) async fn connect(_: &BackendSettings, _: Arc<dyn Clock>) -> anyhow::Result<Aws> {
    bail!(built_without_cloud("AWS", "aws"))
}

pub(crate) fn queue(aws: &Aws, _: &str, _: QueueSettings) -> Arc<dyn Queue> {
    match *aws {}
}

pub(crate) async fn schedules(aws: &Aws) -> anyhow::Result<Vec<Schedule>> {
    match *aws {}
}

pub(crate) fn wakeups(aws: &Aws) -> anyhow::Result<Arc<dyn Wakeups>> {
    match *aws {}
}

pub(crate) fn alarm_topic(aws: &Aws, _: &str) -> Arc<dyn AlarmSink> {
    match *aws {}
}
