//! The host's settings.

use std::net::SocketAddr;

use clap::{Args, ValueEnum, ValueHint};
use secrecy::SecretString;
use stint_core::telemetry::NAMESPACE;

use crate::http::ServerLimits;

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

/// Where the routes of fleets are served.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "HTTP")]
pub struct HttpSettings {
    /// The address and port on which `up` serves the routes of its fleets, if they have any. Other machines reach
    /// `0.0.0.0:8321`; put a proxy with TLS in front of it.
    #[arg(long, env = "STINT_LISTEN", default_value = "127.0.0.1:8321", hide_short_help = true)]
    pub listen: SocketAddr,

    /// The most open connections. Each takes one of the files that the process may have open. When there are so many, a
    /// new one closes the one that has waited longest for a request.
    #[arg(
        long,
        env = "STINT_HTTP_CONNECTIONS",
        default_value_t = 512,
        value_parser = clap::value_parser!(u32).range(1..),
        hide_short_help = true
    )]
    pub http_connections: u32,

    /// The header in which a proxy in front of `up` passes on the address of the caller, such as `X-Forwarded-For`. The last
    /// address in it counts. Without this setting, rate limits by address count the address of the connection. Set it
    /// only if callers cannot reach the port without the proxy, or they choose their address themselves.
    #[arg(long, env = "STINT_HTTP_ADDRESS_HEADER", hide_short_help = true)]
    pub http_address_header: Option<String>,
}

impl HttpSettings {
    /// Returns the default settings with another address.
    pub fn at(listen: SocketAddr) -> HttpSettings {
        HttpSettings { listen, http_connections: 512, http_address_header: None }
    }

    /// Returns the limits of the server.
    pub fn limits(&self) -> ServerLimits {
        ServerLimits {
            connections: usize::try_from(self.http_connections).unwrap_or(usize::MAX),
            address_header: self.http_address_header.as_ref().map(|name| name.to_ascii_lowercase()),
            ..ServerLimits::default()
        }
    }
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
