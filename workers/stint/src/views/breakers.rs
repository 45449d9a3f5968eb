//! Circuit breakers as shown to the user: whether an upstream is considered down, since when and why.

use std::fmt::Write;

use jiff::Timestamp;
use serde::Serialize;
use stint_core::circuit::{Circuit, CircuitState};
use stint_core::ports::{Breakers, PortResult};

use crate::escape::one_line;
use crate::time_format::format_time;

/// An upstream in the output of `status`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BreakerView {
    pub(crate) upstream: &'static str,
    pub(crate) state: BreakerState,
    /// When it went down.
    pub(crate) since: Option<Timestamp>,
    /// Why the last call to it failed.
    pub(crate) reason: Option<String>,
    /// Whether it rejected this address, rather than merely failing.
    pub(crate) banned: bool,
    /// The number of failed probes since then.
    pub(crate) failed_probes: u32,
    /// When the next probe is due.
    pub(crate) next_probe: Option<Timestamp>,
}

/// Whether calls are permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BreakerState {
    Up,
    Down,
    /// A probe succeeded, and one call at a time is permitted.
    Returning,
}

impl BreakerView {
    /// Returns the upstreams with these names.
    pub(crate) async fn read(breakers: &dyn Breakers, upstreams: &[&'static str]) -> PortResult<Vec<BreakerView>> {
        let mut views = Vec::new();
        for &upstream in upstreams {
            views.push(BreakerView::new(upstream, &breakers.load(upstream).await?.1));
        }
        Ok(views)
    }

    /// Returns an upstream whose breaker has never opened.
    pub(crate) fn unused(upstream: &'static str) -> BreakerView {
        BreakerView::new(upstream, &Circuit::default())
    }

    fn new(upstream: &'static str, circuit: &Circuit) -> BreakerView {
        let (state, next_probe) = match &circuit.state {
            CircuitState::Closed(_) => (BreakerState::Up, None),
            CircuitState::HalfOpen { .. } => (BreakerState::Returning, None),
            CircuitState::Open { probe_at: at, .. } | CircuitState::Probing { until: at, .. } => {
                (BreakerState::Down, Some(*at))
            }
        };
        let outage = circuit.outage();
        BreakerView {
            upstream,
            state,
            since: outage.map(|outage| outage.since),
            reason: outage.map(|outage| outage.reason.clone()),
            banned: outage.is_some_and(|outage| outage.banned),
            failed_probes: outage.map_or(0, |outage| outage.failed_probes),
            next_probe,
        }
    }

    /// Describes the state and its reason.
    pub(crate) fn to_text(&self, now: Timestamp) -> String {
        let (Some(since), Some(reason)) = (self.since, &self.reason) else { return "up".to_owned() };
        let (since, reason) = (format_time(since, now), one_line(reason));
        match self.next_probe {
            Some(at) => format!("DOWN since {since}, next probe {}: {reason}", format_time(at, now)),
            None => format!("recovering, one call at a time; it was down since {since}: {reason}"),
        }
    }

    /// Describes what a worker that calls it waits for; `None` while calls are permitted.
    pub(crate) fn wait(&self, now: Timestamp) -> Option<String> {
        let at = self.next_probe?;
        let since = self.since.map(|since| format_time(since, now)).unwrap_or_default();
        Some(format!("waits for {}, which is down since {since}; next probe {}", self.upstream, format_time(at, now)))
    }
}

/// Writes a row for each upstream.
pub(crate) fn write_upstreams(text: &mut String, upstreams: &[BreakerView], now: Timestamp) -> std::fmt::Result {
    for (position, view) in upstreams.iter().enumerate() {
        let title = if position == 0 { "upstreams" } else { "" };
        writeln!(text, "{title:<12}{}: {}", view.upstream, view.to_text(now))?;
    }
    Ok(())
}
