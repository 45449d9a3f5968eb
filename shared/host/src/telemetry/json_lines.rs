//! A log event as one line of JSON.
//!
//! In a text line, a report and an error are part of the sentence. In JSON they are fields, so the sentence leaves them
//! out: each appears once, and a report is an object that a log query can look into.

use std::fmt::{self, Debug};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// The field with the sentence of an event.
const MESSAGE: &str = "message";

/// Fields that the `log` crate's events carry, about where they come from.
const FROM_LOG: &str = "log.";

/// Formats events: time, level, message, the event's own fields, and the fields of the spans that it is in.
pub(super) struct JsonLines;

impl<S> FormatEvent<S, JsonFields> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = event.metadata().level().as_str();
        write!(writer, "{{\"timestamp\":{},\"level\":{}", Value::from(time), Value::from(level))?;
        if let Some(message) = fields.message() {
            write!(writer, ",\"{MESSAGE}\":{}", Value::from(message))?;
        }
        for (name, value) in &fields.others {
            write!(writer, ",{}:{value}", Value::from(*name))?;
        }
        if let Some(span) = span(context) {
            write!(writer, ",\"span\":{}", Value::Object(span))?;
        }
        writeln!(writer, "}}")
    }
}

/// Returns the name of the innermost span, with the fields of all spans. Those of an inner one replace those of an outer
/// one.
fn span<S>(context: &FmtContext<'_, S, JsonFields>) -> Option<Map<String, Value>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut all = Map::new();
    for span in context.event_scope()?.from_root() {
        let extensions = span.extensions();
        let text = extensions.get::<FormattedFields<JsonFields>>().map_or("", |fields| fields.as_str());
        if let Ok(Value::Object(fields)) = serde_json::from_str(text) {
            all.extend(fields);
        }
        all.insert("name".to_owned(), span.name().into());
    }
    Some(all)
}

/// The fields of an event.
#[derive(Default)]
struct Fields {
    message: Option<String>,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    /// Returns the message without the field that it ends with, as in "it failed: REASON" with the field `error`.
    fn message(&self) -> Option<&str> {
        let message = self.message.as_deref()?;
        let texts = self.others.iter().filter_map(|(_, value)| match value {
            Value::String(text) => Some(text.clone()),
            Value::Object(_) => Some(value.to_string()),
            _ => None,
        });
        let shorter =
            texts.filter(|text| !text.is_empty()).find_map(|text| message.strip_suffix(&text)?.strip_suffix(": "));
        Some(shorter.unwrap_or(message))
    }

    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            (MESSAGE, Value::String(message)) => self.message = Some(message),
            (name, value) if !name.starts_with(FROM_LOG) => self.others.push((name, value)),
            _ => {}
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Value::from(value));
    }

    /// A value that displays itself as a JSON object is one. Text that was recorded as text stays text.
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        let object =
            if text.starts_with('{') && field.name() != MESSAGE { serde_json::from_str(&text).ok() } else { None };
        self.add(field, object.map_or(Value::String(text), Value::Object));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use serde_json::json;
    use tracing::{error_span, info, warn};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::config::{LogFormat, LogSettings};
    use crate::telemetry::logs;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns what `write` logs, without the times.
    fn logged(write: impl FnOnce()) -> Vec<Value> {
        let log = Log::default();
        let (settings, writer) = (LogSettings { log: "info".into(), log_format: LogFormat::Json }, log.clone());
        let layer = logs::layer(&settings, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), write);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let line = |line: &str| {
            let mut line: Map<String, Value> = serde_json::from_str(line).unwrap();
            let time = line.remove("timestamp").unwrap();
            assert!(time.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{time}");
            Value::Object(line)
        };
        text.lines().map(line).collect()
    }

    #[test]
    fn a_report_is_an_object_and_not_repeated() {
        let (report, text) = (json!({ "pages": 3, "rule": null }), "{\"a\": 1}");
        let lines = logged(|| {
            info!(worker = %"warcraftlogs/discover", %report, "it is done: {report}");
            info!(count = 5, text, list = %"[1]", "done: 5");
        });
        let done =
            json!({ "level": "INFO", "message": "it is done", "worker": "warcraftlogs/discover", "report": report });
        let plain = json!({ "level": "INFO", "message": "done: 5", "count": 5, "text": text, "list": "[1]" });
        assert_eq!(lines, [done, plain], "only what displays itself as an object is one");
    }

    #[test]
    fn an_error_appears_once() {
        let error = io::Error::other("the disk is \"full\"\nand slow");
        let lines = logged(|| {
            warn!(%error, "cannot store it: {error}");
            warn!(%error, "cannot store it, the sweep will");
        });
        for (line, message) in lines.iter().zip(["cannot store it", "cannot store it, the sweep will"]) {
            assert_eq!(
                (line["message"].as_str(), line["error"].as_str()),
                (Some(message), Some("the disk is \"full\"\nand slow"))
            );
            assert_eq!(line.to_string().matches("full").count(), 1, "{line}");
        }
    }

    #[test]
    fn spans_are_one_object() {
        let lines = logged(|| {
            let _outer = error_span!("invocation", request_id = "r-1", part = 1).entered();
            let _inner = error_span!("call", part = 2).entered();
            info!("at work");
        });
        let span = json!({ "name": "call", "request_id": "r-1", "part": 2 });
        assert_eq!(lines, [json!({ "level": "INFO", "message": "at work", "span": span })]);
    }
}
