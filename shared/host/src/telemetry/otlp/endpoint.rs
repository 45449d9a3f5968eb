//! The destination of exports, read from OpenTelemetry's own settings.
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>

use std::fmt;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Uri};
use secrecy::{ExposeSecret, SecretString};

/// Two addresses below the configured one, and the headers of every request.
pub(in crate::telemetry) struct Endpoint {
    pub(super) metrics: Uri,
    pub(super) traces: Uri,
    pub(super) headers: HeaderMap,
}

impl Endpoint {
    /// Reads the settings. An error names the variable, and quotes no header.
    pub(in crate::telemetry) fn new(base: &str, headers: Option<&SecretString>) -> Result<Endpoint, String> {
        let base = base.trim().trim_end_matches('/');
        let below = |path: &str| {
            let uri = format!("{base}/v1/{path}").parse::<Uri>().ok();
            uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()).ok_or_else(
                || {
                    "OTEL_EXPORTER_OTLP_ENDPOINT: it is a URL such as http://127.0.0.1:4318, or not set at all"
                        .to_owned()
                },
            )
        };
        let headers = headers.map_or(Ok(HeaderMap::new()), |headers| read_headers(headers.expose_secret()));
        Ok(Endpoint { metrics: below("metrics")?, traces: below("traces")?, headers: headers? })
    }
}

impl fmt::Debug for Endpoint {
    /// Leaves out the user and password of the address, and the headers.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Endpoint").field("host", &self.traces.host()).finish_non_exhaustive()
    }
}

/// Parses `name=value` pairs separated by commas, with percent-encoded values.
fn read_headers(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (position, entry) in text.split(',').filter(|entry| !entry.trim().is_empty()).enumerate() {
        let read = entry.split_once('=').and_then(|(name, value)| {
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            let mut value = HeaderValue::from_bytes(&decoded(value.trim())?).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        });
        let (name, value) = read.ok_or_else(|| {
            let position = position + 1;
            format!("OTEL_EXPORTER_OTLP_HEADERS: header {position} is not name=value; several have commas between them")
        })?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_addresses_are_below_the_one_that_is_set() {
        for base in ["http://127.0.0.1:4318", "http://127.0.0.1:4318/"] {
            let endpoint = Endpoint::new(base, None).unwrap();
            assert_eq!(endpoint.traces.to_string(), "http://127.0.0.1:4318/v1/traces");
            assert_eq!(endpoint.metrics.to_string(), "http://127.0.0.1:4318/v1/metrics");
        }
        for wrong in ["collector:4318", "ftp://collector", "/v1"] {
            let error = Endpoint::new(wrong, None).unwrap_err();
            assert!(error.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT: "), "{wrong}: {error}");
        }
    }

    #[test]
    fn headers_are_decoded_and_never_shown() {
        let set = SecretString::from("Authorization=Basic%20planted, x-scope=7");
        let endpoint = Endpoint::new("https://user:planted@collector.example", Some(&set)).unwrap();
        assert_eq!(endpoint.headers["authorization"], "Basic planted");
        assert_eq!(endpoint.headers["x-scope"], "7");
        assert!(!format!("{endpoint:?}").contains("planted"));
        let wrong = SecretString::from("a=b,planted");
        let error = Endpoint::new("https://collector.example", Some(&wrong)).unwrap_err();
        assert!(error.contains("header 2") && !error.contains("planted"), "{error}");
    }
}
