//! The host's settings.

use clap::{Args, ValueEnum, ValueHint};
use secrecy::SecretString;
use stint_core::telemetry::NAMESPACE;

/// How much is logged, and in which form.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
pub struct LogSettings {
    /// What is logged: a level, or levels by module as in `info,stint_host=debug`.
    #[arg(long, env = "STINT_LOG", default_value = "warn", global = true, hide_short_help = true)]
    pub log: String,

    /// The format of log lines on stderr.
    #[arg(long, env = "STINT_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, global = true, hide_short_help = true)]
    pub log_format: LogFormat,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line, for programs.
    Json,
}

/// Where metrics and traces go. The names that begin with `OTEL_` are OpenTelemetry's own.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Telemetry")]
pub struct TelemetrySettings {
    /// Where `up`, `run`, `demo` and functions send metrics and traces: an OTLP receiver over HTTP, such as
    /// `http://127.0.0.1:4318`. Without it they send none.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        hide_env_values = true,
        value_hint = ValueHint::Url,
        global = true,
        hide_short_help = true
    )]
    pub otel_exporter_otlp_endpoint: Option<SecretString>,

    /// The headers of every request to the receiver, as `name=value` separated by commas; values are percent-encoded.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_HEADERS", hide_env_values = true, global = true, hide_short_help = true)]
    pub otel_exporter_otlp_headers: Option<SecretString>,

    /// The name of this installation in metrics and traces.
    #[arg(long, env = "OTEL_SERVICE_NAME", default_value = "stint", global = true, hide_short_help = true)]
    pub otel_service_name: String,

    /// Whether metrics are also written to stdout, from which CloudWatch collects a function's metrics.
    #[arg(long, env = "STINT_METRICS", value_enum, default_value_t = MetricsTo::None, global = true, hide_short_help = true)]
    pub metrics: MetricsTo,

    /// The namespace of these metrics in CloudWatch. Each installation in an account and region needs its own.
    #[arg(
        long,
        env = "STINT_METRICS_NAMESPACE",
        default_value = NAMESPACE,
        value_parser = parse_namespace,
        global = true,
        hide_short_help = true
    )]
    pub metrics_namespace: String,
}

/// The most characters in a namespace.
const MAX_NAMESPACE: usize = 255;

/// Refuses a namespace that CloudWatch would silently ignore.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>
fn parse_namespace(text: &str) -> Result<String, String> {
    let is_allowed = |char: char| char.is_ascii_alphanumeric() || ".-_/#".contains(char);
    let is_namespace = (1..=MAX_NAMESPACE).contains(&text.len()) && text.chars().all(is_allowed);
    if is_namespace && !text.starts_with("AWS/") {
        Ok(text.to_owned())
    } else {
        Err(format!("it has from 1 to {MAX_NAMESPACE} letters, digits and . - _ / #, and does not begin with AWS/"))
    }
}

/// What becomes of metrics beside OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MetricsTo {
    /// Nothing.
    None,
    /// Lines in CloudWatch's embedded metric format, at the end of each invocation.
    Emf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_cloudwatch_would_pass_over_is_refused() {
        for namespace in ["Stint", "Stint/two", "a.b-c_d#1"] {
            assert_eq!(parse_namespace(namespace).as_deref(), Ok(namespace));
        }
        for namespace in ["", "AWS/Lambda", "two words", "Ånn", &"x".repeat(256)] {
            assert!(parse_namespace(namespace).unwrap_err().contains("from 1 to 255"), "{namespace}");
        }
    }
}
