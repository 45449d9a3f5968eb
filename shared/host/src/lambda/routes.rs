//! The routes of the worker of a function.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use stint_core::clock::{Clock, after, between};
use tokio::sync::Mutex;

use super::request::{self, HttpEvent};
use crate::http::HttpApp;

/// How long a throttle that was read is used. Reading it is a call to a store, which not every request shall wait for; an
/// operator's pause is seen after this time.
const THROTTLE_AGE: Duration = Duration::from_secs(10);

/// The most that a request may take: the gateway waits for 30 seconds, and gives an answer of its own then.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const LONGEST_REQUEST: Duration = Duration::from_secs(29);

/// The routes of the worker of a function.
pub(super) struct FunctionRoutes {
    app: HttpApp,
    /// When the throttle was read.
    refreshed: Mutex<Option<Timestamp>>,
}

impl FunctionRoutes {
    pub(super) fn new(app: HttpApp) -> FunctionRoutes {
        FunctionRoutes { app, refreshed: Mutex::default() }
    }

    /// Responds to a request by `deadline`.
    pub(super) async fn respond(&self, event: HttpEvent, deadline: Timestamp, clock: &dyn Clock) -> Value {
        self.refresh(clock).await;
        let deadline = deadline.min(after(clock.now(), LONGEST_REQUEST));
        request::respond(&self.app, event, deadline, clock).await
    }

    /// Reads the throttle if the last one is old. If that fails, the last one remains. A clock that was set back makes it old.
    async fn refresh(&self, clock: &dyn Clock) {
        let now = clock.now();
        let mut refreshed = self.refreshed.lock().await;
        if refreshed.is_some_and(|at| at <= now && between(at, now) < THROTTLE_AGE) {
            return;
        }
        match self.app.refresh().await {
            Ok(()) => *refreshed = Some(now),
            Err(error) => tracing::error!(%error, "cannot read the throttle: {error}"),
        }
    }
}
