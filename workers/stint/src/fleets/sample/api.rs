//! Serves how many samples are stored.
//!
//! # If the process exits between any two lines
//! The caller sees a closed connection, and nothing has changed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stint_core::http::{Access, Cache, LimitBy, Response, Route, RouteLimit};
use stint_core::ports::RateLimit;
use stint_core::worker::{Event, Invocation, Outcome, Trigger, Worker, WorkerError, WorkerSpec};

use super::sampler::Samples;

/// Serves the samples.
pub(super) struct Api {
    samples: Arc<dyn Samples>,
}

impl Api {
    /// Creates the worker with the one port that it needs.
    pub(super) fn new(samples: Arc<dyn Samples>) -> Api {
        Api { samples }
    }
}

impl Worker for Api {
    const SPEC: WorkerSpec = WorkerSpec {
        fleet: "sample",
        name: "api",
        summary: "serves samples",
        triggers: &[Trigger::Http(&[
            Route::get("/samples", "counts the samples").cached(Cache::Public(Duration::from_secs(60))),
            Route::post("/samples", "stores a sample")
                .body_limit(1_024)
                .access(Access::Key)
                .limits(&[RouteLimit { by: LimitBy::Key, limit: RateLimit::per_minute(60, 10) }]),
        ])],
        concurrency: 8,
        timeout: Duration::from_secs(10),
    };

    async fn run(&self, event: Event, invocation: &Invocation) -> Result<Outcome, WorkerError> {
        let Event::Request(request) = event else {
            return Err(WorkerError::Event("api only serves requests".to_owned()));
        };
        let stored = match request.credential {
            None => self.samples.count().await?,
            Some(key) if key.0 == "sample-key" => self.samples.add(invocation.now()).await?,
            Some(_) => return Ok(Outcome::response(Response::error(403, "forbidden", "this key is unknown"))),
        };
        Ok(Outcome::response(Response::json(200, &json!({ "samples": stored }))?))
    }
}

#[cfg(test)]
mod tests {
    use stint_core::worker::StopSignal;
    use stint_host::{SystemClock, invoke};

    use super::super::store::MemorySamples;
    use super::*;

    #[tokio::test]
    async fn another_event_is_refused() {
        let worker = Api::new(Arc::new(MemorySamples::default()));
        let (event, clock) = (Event::Manual(json!(null)), Arc::new(SystemClock) as _);
        assert!(invoke(&worker, event, &clock, &StopSignal::default()).await.is_err());
    }
}
