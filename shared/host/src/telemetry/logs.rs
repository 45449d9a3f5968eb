//! Logs: to stderr, as text or as JSON lines.

use tracing::Subscriber;
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, fmt};

use super::collect::is_telemetry_target;
use super::json_lines::JsonLines;
use crate::config::{LogFormat, LogSettings};

/// Returns the layer that writes log lines to `writer`, without measurements and traces. An error names the invalid
/// setting.
pub(super) fn layer<S, W>(settings: &LogSettings, writer: W) -> Result<Box<dyn Layer<S> + Send + Sync>, String>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter: Targets = settings.log.parse().map_err(|error| format!("STINT_LOG: {error}"))?;
    let others = filter_fn(|metadata| !is_telemetry_target(metadata.target())).with_max_level_hint(LevelFilter::TRACE);
    let lines = fmt::layer().with_writer(writer).with_target(false);
    Ok(match settings.log_format {
        LogFormat::Text => lines.with_ansi(false).compact().with_filter(filter.and(others)).boxed(),
        LogFormat::Json => {
            let lines = lines.fmt_fields(JsonFields::new()).event_format(JsonLines);
            lines.with_filter(filter.and(others)).boxed()
        }
    })
}
