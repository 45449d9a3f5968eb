//! The circuit breakers of the river: whether a request may be sent, and what its outcome shows of the upstream's
//! health.
//!
//! Pages and the head are requested from two hosts, so each has its own breaker.

use std::future::Future;
use std::sync::Arc;

use stint_core::circuit::{CircuitSettings, Health, Intent, Pass};
use stint_core::clock::{Clock, between};
use stint_core::ports::Breakers;
use stint_http::{Breaker, HttpError};

use crate::client::{PAGE_TIMEOUT, RiverError};

/// The upstream name of the river's pages: of its breaker, in `status` and in metrics.
pub const PAGES_UPSTREAM: &str = "poe-stashes-pages";

/// The upstream name of the river's head.
pub const HEAD_UPSTREAM: &str = "poe-stashes-head";

/// When the breakers open. The chain sends one request at a time and waits longer after each failure, so ten failures
/// in a row take minutes.
pub const CIRCUIT: CircuitSettings = CircuitSettings { failures: 10, ..CircuitSettings::for_calls_of(PAGE_TIMEOUT) };

/// Both breakers.
pub(crate) struct Guards {
    pub(crate) pages: Arc<Breaker>,
    pub(crate) head: Arc<Breaker>,
}

impl Guards {
    pub(crate) fn new(store: &Arc<dyn Breakers>, clock: &Arc<dyn Clock>) -> Guards {
        let breaker = |upstream| Arc::new(Breaker::new(upstream, store.clone(), clock.clone(), CIRCUIT));
        Guards { pages: breaker(PAGES_UPSTREAM), head: breaker(HEAD_UPSTREAM) }
    }
}

/// Sends a request with its pass if `breaker` allows it, and reports the outcome to the breaker.
pub(crate) async fn guarded<T, F>(
    breaker: &Breaker,
    clock: &dyn Clock,
    request: impl FnOnce(Pass) -> F,
) -> Result<T, RiverError>
where
    F: Future<Output = Result<T, RiverError>>,
{
    let down = |since, until, reason| {
        let (upstream, delay) = (breaker.upstream().to_owned(), between(clock.now(), until));
        RiverError::Down { upstream, since, delay, reason }
    };
    let pass = match breaker.enter(Intent::Probe).await {
        Ok(pass) => pass,
        Err(wait) => return Err(down(wait.outage.since, wait.until, wait.outage.reason)),
    };
    let outcome = request(pass).await;
    breaker.report(pass, &outcome.as_ref().map_or_else(health, |_| Health::Served)).await;
    match outcome {
        Err(RiverError::Http(HttpError::BreakerOpen { since, until, reason, .. })) => Err(down(since, until, reason)),
        outcome => outcome,
    }
}

/// A client error may be about the requested page. The chain stops by itself after a few of them.
fn health(error: &RiverError) -> Health {
    match error {
        RiverError::Http(error) if error.is_client_error() => Health::Unknown,
        RiverError::Http(error) => error.health(),
        RiverError::NoHead { .. } => Health::Failed(error.to_string()),
        RiverError::Down { .. } => Health::Unknown,
    }
}
