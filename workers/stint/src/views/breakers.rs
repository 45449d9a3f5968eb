//! Breakers as they are shown: whether an upstream is held to be down, since when and why.

use std::fmt::Write;

use jiff::Timestamp;
use serde::Serialize;
use stint_core::circuit::{Circuit, CircuitState};
use stint_core::ports::{Breakers, PortResult};

use crate::moment::when;
use crate::printable::one_line;

/// An upstream as `status` shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BreakerView {
    pub(crate) upstream: &'static str,
    pub(crate) state: Health,
    /// Since when it is down.
    pub(crate) since: Option<Timestamp>,
    /// How the last call to it failed.
    pub(crate) reason: Option<String>,
    /// Whether it turned this address away, and did not merely fail.
    pub(crate) banned: bool,
    /// Probes that have failed since.
    pub(crate) failed_probes: u32,
    /// When it is asked next.
    pub(crate) next_probe: Option<Timestamp>,
}

/// Whether calls go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Health {
    Up,
    Down,
    /// It has answered a probe, and one call at a time goes.
    Returning,
}

impl BreakerView {
    /// The upstreams of these names.
    pub(crate) async fn read(breakers: &dyn Breakers, upstreams: &[&'static str]) -> PortResult<Vec<BreakerView>> {
        let mut views = Vec::new();
        for &upstream in upstreams {
            views.push(BreakerView::new(upstream, &breakers.load(upstream).await?.1));
        }
        Ok(views)
    }

    /// An upstream whose breaker was never opened.
    pub(crate) fn unused(upstream: &'static str) -> BreakerView {
        BreakerView::new(upstream, &Circuit::default())
    }

    fn new(upstream: &'static str, circuit: &Circuit) -> BreakerView {
        let (state, next_probe) = match &circuit.state {
            CircuitState::Closed(_) => (Health::Up, None),
            CircuitState::HalfOpen { .. } => (Health::Returning, None),
            CircuitState::Open { probe_at: at, .. } | CircuitState::Probing { until: at, .. } => {
                (Health::Down, Some(*at))
            }
        };
        let outage = circuit.outage();
        BreakerView {
            upstream,
            state,
            since: outage.map(|outage| outage.since),
            reason: outage.map(|outage| outage.reason.clone()),
            banned: outage.is_some_and(|outage| outage.banned),
            failed_probes: outage.map_or(0, |outage| outage.tries),
            next_probe,
        }
    }

    /// The state in words, with the reason.
    pub(crate) fn in_words(&self, now: Timestamp) -> String {
        let (Some(since), Some(reason)) = (self.since, &self.reason) else { return "up".to_owned() };
        let (since, reason) = (when(since, now), one_line(reason));
        match self.next_probe {
            Some(at) => format!("DOWN since {since}, asked again {}: {reason}", when(at, now)),
            None => format!("answers again, and one call at a time goes; it was down since {since}: {reason}"),
        }
    }

    /// What a worker waits for that cannot call it; `None` while calls go.
    pub(crate) fn wait(&self, now: Timestamp) -> Option<String> {
        let at = self.next_probe?;
        let since = self.since.map(|since| when(since, now)).unwrap_or_default();
        Some(format!("waits for {}, which is down since {since}; it is asked again {}", self.upstream, when(at, now)))
    }
}

/// A row for each upstream.
pub(crate) fn write_upstreams(text: &mut String, upstreams: &[BreakerView], now: Timestamp) -> std::fmt::Result {
    for (position, view) in upstreams.iter().enumerate() {
        let title = if position == 0 { "upstreams" } else { "" };
        writeln!(text, "{title:<12}{}: {}", view.upstream, view.in_words(now))?;
    }
    Ok(())
}
