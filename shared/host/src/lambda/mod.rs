//! Runs one worker as an AWS Lambda function.
//!
//! # What may happen between any two lines
//! * *The function exits before it has responded:* the batch becomes visible again after its visibility timeout. A
//!   schedule fires at its next tick, and the sweep makes up for a wake-up.
//! * *It exits after a message was released or rejected:* the mapping does not know of it, deletes nothing, and the
//!   message stays where it was put.
//! * *It exits after the response:* nothing is kept between two invocations except connections.
//! * *The mapping also deletes a message that we have rejected:* the message is gone already, which SQS treats as
//!   deleted.
//!
//! What may happen between any two lines of a request is in [`crate::http`].
//!
//! The response to a batch is partial: messages in `batchItemFailures` come back, and the mapping deletes all others. A
//! message that waits comes back when it is due, because releasing it has changed its visibility. A message that can
//! never succeed is among the dead letters already, with its reason, and uses up no further receive. An invocation that
//! fails is reported to Lambda as a failure: the mapping then slows down, and the function's alarm is raised.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>

mod batch;
mod event;
mod request;
mod routes;
mod serve;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use stint_core::clock::{Clock, after, before};
use stint_core::http::RouteError;
use stint_core::ports::{Delivery, Queue, RateLimits, Receipt, Throttle};
use stint_core::worker::{AnyWorker, Event, StopSignal, WorkerError, WorkerId};

pub use event::SqsRecord;
pub use serve::serve;

use crate::counters::Counters;
use crate::http::{HttpApp, HttpPorts};
use crate::invoke::invoke_until;
use crate::schedules::is_active;
use crate::store_gate::StoreGate;
use event::Payload;
use request::HttpEvent;
use routes::FunctionRoutes;

/// The time that is kept back from the worker, for releasing messages and for the response.
pub const MARGIN: Duration = Duration::from_secs(2);

/// The source of a function's batches.
pub struct Feed {
    /// The queue, for releasing and rejecting messages. The mapping does the rest.
    pub queue: Arc<dyn Queue>,
    /// Converts a record of the mapping to a receipt of the queue.
    pub receipt: fn(&SqsRecord) -> Receipt,
}

/// Runs one worker, one event at a time.
pub struct LambdaHost {
    worker: Arc<dyn AnyWorker>,
    feed: Option<Feed>,
    throttle: Arc<dyn Throttle>,
    clock: Arc<dyn Clock>,
    counters: Counters,
    stop: StopSignal,
    gate: StoreGate,
    routes: Option<FunctionRoutes>,
}

impl LambdaHost {
    /// Creates a host for `worker`, with `feed` if a queue feeds it. An operator's pause in `throttle` applies to its
    /// schedules; a queue's mapping is paused separately. Once `stop` is set, work in progress is brought to an end.
    pub fn new(
        worker: Arc<dyn AnyWorker>,
        feed: Option<Feed>,
        throttle: Arc<dyn Throttle>,
        clock: Arc<dyn Clock>,
        stop: StopSignal,
    ) -> LambdaHost {
        let gate = StoreGate::new(worker.spec().id(), worker.spec().timeout, clock.clone());
        LambdaHost { worker, feed, throttle, clock, counters: Counters::default(), stop, gate, routes: None }
    }

    /// Returns the host with the routes of its worker, which API Gateway or a function URL calls. Their rate limits are
    /// counted in `rate_limits`. Fails if the routes are invalid, or if one has a rate limit and `rate_limits` is `None`.
    pub fn serving_routes(self, rate_limits: Option<Arc<dyn RateLimits>>) -> Result<LambdaHost, RouteError> {
        let ports = HttpPorts { throttle: self.throttle.clone(), rate_limits, clock: self.clock.clone() };
        let app = HttpApp::new(std::slice::from_ref(&self.worker), ports, self.stop.clone())?;
        Ok(LambdaHost { routes: Some(FunctionRoutes::new(app)), ..self })
    }

    /// Runs one invocation. Lambda kills the function at `deadline`, so the worker is stopped before that. Returns the
    /// function's response.
    pub async fn handle(&self, event: Value, deadline: Timestamp) -> Result<Value, WorkerError> {
        let spec = self.worker.spec();
        let id = spec.id();
        let deadline = before(deadline, MARGIN).min(after(self.clock.now(), spec.timeout));
        let event = match Payload::read(event)? {
            Payload::Batch(records) => return self.handle_batch(records, deadline).await,
            Payload::Tick { worker: Some(meant), .. } if !is_meant(&id, &meant) => {
                return Err(WorkerError::Event(format!("the event is for {meant}, and this function is {id}")));
            }
            Payload::Tick { due, wakeup, .. } if !self.is_active(due, wakeup.as_deref()) => {
                tracing::info!(worker = %id, "{id} is due, but not active at this hour");
                return Ok(json!({ "active": false }));
            }
            Payload::Tick { due, wakeup, .. } => Event::Tick { due, wakeup },
            Payload::Request(request) => return self.handle_request(*request, deadline).await,
            Payload::Manual(argument) => Event::Manual(argument),
        };
        if matches!(event, Event::Tick { .. }) && self.throttle.read(&id).await?.paused {
            tracing::info!(worker = %id, "{id} is due, but paused");
            return Ok(json!({ "paused": true }));
        }
        let report = invoke_until(&*self.worker, event, &self.clock, deadline, &self.stop).await?.report;
        tracing::info!(worker = %id, %report, "{id} is done: {report}");
        Ok(report)
    }

    /// Returns whether a tick is to be run. The hours of a schedule do not limit wake-ups that a worker has set.
    fn is_active(&self, due: Timestamp, wakeup: Option<&str>) -> bool {
        let spec = self.worker.spec();
        // `infra/modules/schedule` names the schedule of a worker like the worker; a rule of EventBridge has no name.
        let is_scheduled = wakeup.is_none_or(|name| name == spec.name);
        !is_scheduled || is_active(spec.schedule(), due, self.clock.now())
    }

    async fn handle_request(&self, request: HttpEvent, deadline: Timestamp) -> Result<Value, WorkerError> {
        let id = self.worker.spec().id();
        let no_routes = || WorkerError::Event(format!("received a request, but {id} serves no routes"));
        let routes = self.routes.as_ref().ok_or_else(no_routes)?;
        Ok(routes.respond(request, deadline, &*self.clock).await)
    }

    async fn handle_batch(&self, records: Vec<SqsRecord>, deadline: Timestamp) -> Result<Value, WorkerError> {
        let id = self.worker.spec().id();
        let no_queue = || WorkerError::Event(format!("received a batch, but no queue feeds {id}"));
        let feed = self.feed.as_ref().ok_or_else(no_queue)?;
        let batch: Vec<Delivery> = records.into_iter().map(|record| deliver(record, feed)).collect();
        Counters::add(&self.counters.received, batch.len());
        self.handle_deliveries(feed, batch, deadline).await
    }
}

/// Whether an event names this worker. Schedules of earlier versions name it without its fleet.
fn is_meant(id: &WorkerId, named: &str) -> bool {
    named.split_once('/').map_or(named == id.name, |(fleet, name)| (fleet, name) == (&*id.fleet, &*id.name))
}

fn deliver(record: SqsRecord, feed: &Feed) -> Delivery {
    let (receipt, receive_count, sent_at) = ((feed.receipt)(&record), record.receive_count(), record.sent_at());
    Delivery { message_id: record.message_id, receipt, body: record.body, receive_count, sent_at }
}
