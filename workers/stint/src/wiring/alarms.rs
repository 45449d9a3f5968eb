//! The recipients of alarms.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use stint_core::alarms::LogSink;
use stint_core::clock::Clock;
use stint_core::ports::AlarmSink;
use stint_http::{ReqwestTransport, WebhookSink};

use super::aws::{self, Aws};
use super::config::BackendSettings;

/// The user agent of webhooks.
const AGENT: &str = concat!("stint/", env!("CARGO_PKG_VERSION"));

/// Returns the recipients that the settings name, and the log.
pub(super) fn sinks(
    settings: &BackendSettings,
    aws: Option<&Aws>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Vec<Arc<dyn AlarmSink>>> {
    let mut sinks: Vec<Arc<dyn AlarmSink>> = vec![Arc::new(LogSink)];
    if let Some(address) = &settings.alarm_webhook_url {
        let transport = Arc::new(ReqwestTransport::new(AGENT).context("ALARM_WEBHOOK_URL")?);
        let webhook = WebhookSink::new(address, transport, clock.clone());
        sinks.push(Arc::new(webhook.map_err(|reason| anyhow!("ALARM_WEBHOOK_URL: {reason}"))?));
    }
    if let (Some(topic), Some(aws)) = (settings.alarm_topic(), aws) {
        sinks.push(aws::alarm_topic(aws, topic));
    }
    Ok(sinks)
}
