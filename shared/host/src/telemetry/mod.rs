//! The telemetry of a process: logs, metrics and traces.
//!
//! Workers and hosts record through `stint_core::telemetry`, as `tracing` events and spans. A [`Telemetry`] collects
//! them and exports them on request: by OTLP, as lines in CloudWatch's embedded format, or both. If neither is
//! configured, nothing is collected.

mod collect;
mod embedded;
mod json_lines;
mod logs;
mod meter;
mod otlp;
#[cfg(feature = "lambda")]
mod parent;
mod spans;
#[cfg(test)]
mod tests;
mod watch;

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::ExposeSecret;
use stint_core::clock::Clock;
use stint_core::telemetry::{METRICS, TRACES};
use stint_http::{ReqwestTransport, Transport};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogSettings, MetricsTo, TelemetrySettings};
use meter::Meter;
use otlp::{Endpoint, Otlp, Resource};
use spans::{FinishedSpans, Ids};

#[cfg(feature = "lambda")]
pub(crate) use parent::TraceParent;
pub(crate) use watch::InvocationRecorder;

/// The time between two exports of a long-running process, the same as in OpenTelemetry's own span processors.
const EXPORT_EVERY: Duration = Duration::from_secs(5);

/// Collects metrics and traces, and exports them. Clones share the same state.
#[derive(Clone)]
pub struct Telemetry {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    meter: Meter,
    ids: Ids,
    ended: FinishedSpans,
    lines: Option<Lines>,
    otlp: Option<Otlp>,
}

/// The writer of lines in CloudWatch's embedded format, and the namespace of the metrics in them.
struct Lines {
    namespace: String,
    writer: Mutex<Box<dyn Write + Send>>,
}

/// Starts logging to `writer`, and collecting if `exports` names a destination. An error names the invalid setting.
pub fn start<W>(
    settings: &LogSettings,
    exports: Option<&TelemetrySettings>,
    clock: &Arc<dyn Clock>,
    writer: W,
) -> Result<(), String>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let telemetry = exports.map(|exports| Telemetry::from_settings(exports, clock)).transpose()?.flatten();
    let collect = telemetry.map(Telemetry::layer);
    let started = tracing_subscriber::registry().with(logs::layer(settings, writer)?).with(collect).try_init();
    started.map_err(|error| format!("cannot start logging: {error}"))
}

/// Exports what was collected in this process, if collection is on. Takes at most a second and never fails: an
/// unreachable collector is logged.
pub async fn flush() {
    if let Some(telemetry) = Telemetry::current() {
        telemetry.flush().await;
    }
}

/// Exports periodically for as long as it is polled. Completes at once if nothing is collected.
pub async fn flush_regularly() {
    let Some(telemetry) = Telemetry::current() else { return };
    loop {
        telemetry.inner.clock.sleep(EXPORT_EVERY).await;
        telemetry.flush().await;
    }
}

impl Telemetry {
    fn from_settings(settings: &TelemetrySettings, clock: &Arc<dyn Clock>) -> Result<Option<Telemetry>, String> {
        let set = settings.otel_exporter_otlp_endpoint.as_ref().map(|endpoint| endpoint.expose_secret().trim());
        let set = set.filter(|endpoint| !endpoint.is_empty());
        let endpoint = set.map(|base| Endpoint::new(base, settings.otel_exporter_otlp_headers.as_ref())).transpose()?;
        let user_agent = concat!("stint/", env!("CARGO_PKG_VERSION"));
        let transport = || ReqwestTransport::new(user_agent).map_err(|error| error.to_string());
        let otlp = match endpoint {
            Some(endpoint) => Some((endpoint, Arc::new(transport()?) as Arc<dyn Transport>)),
            None => None,
        };
        let lines =
            (settings.metrics == MetricsTo::Emf).then(|| Lines::new(&settings.metrics_namespace, std::io::stdout()));
        let nowhere = otlp.is_none() && lines.is_none();
        Ok((!nowhere).then(|| Telemetry::new(&settings.otel_service_name, clock.clone(), otlp, lines)))
    }

    fn new(
        service: &str,
        clock: Arc<dyn Clock>,
        otlp: Option<(Endpoint, Arc<dyn Transport>)>,
        lines: Option<Lines>,
    ) -> Telemetry {
        let ids = Ids::new(clock.now());
        let otlp = otlp.map(|(endpoint, transport)| {
            let resource = Resource { service: service.to_owned(), instance: ids.process() };
            Otlp::new(endpoint, resource, transport, clock.clone())
        });
        let (meter, ended) = (Meter::default(), FinishedSpans::default());
        Telemetry { inner: Arc::new(Inner { clock, meter, ids, ended, lines, otlp }) }
    }

    /// Returns the collector of the current code, if there is one.
    fn current() -> Option<Telemetry> {
        tracing::dispatcher::get_default(|dispatch| dispatch.downcast_ref::<Telemetry>().cloned())
    }

    /// Returns the layer that collects. Spans are only used by OTLP.
    fn layer<S>(self) -> impl Layer<S>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    {
        let traced = self.inner.otlp.is_some();
        let wanted = move |target: &str| target == METRICS || (traced && target == TRACES);
        let ours = filter_fn(move |metadata| wanted(metadata.target())).with_max_level_hint(LevelFilter::INFO);
        self.with_filter(ours)
    }

    async fn flush(&self) {
        self.write_lines();
        let Some(otlp) = self.inner.otlp.as_ref().filter(|otlp| !otlp.is_paused()) else { return };
        let (spans, dropped) = self.inner.ended.take();
        if dropped > 0 {
            tracing::warn!(dropped, "{dropped} spans were dropped: there were too many between two exports");
        }
        otlp.export(&self.inner.meter.all(), &spans).await;
    }

    fn write_lines(&self) {
        let Some(lines) = &self.inner.lines else { return };
        let new = embedded::lines(&self.inner.meter, &lines.namespace, self.inner.clock.now());
        let written: String = new.iter().map(|line| format!("{line}\n")).collect();
        let mut writer = lines.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // If the log cannot be written, there is nowhere to report it.
        let _ = writer.write_all(written.as_bytes()).and_then(|()| writer.flush());
    }
}

impl Lines {
    fn new(namespace: &str, writer: impl Write + Send + 'static) -> Lines {
        Lines { namespace: namespace.to_owned(), writer: Mutex::new(Box::new(writer)) }
    }
}
