//! The events that start a function, in the formats of AWS.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use stint_core::clock::from_millis;
use stint_core::worker::WorkerError;

use super::request::HttpEvent;

/// A message in the event of an event source mapping.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsRecord {
    /// The message's id.
    pub message_id: String,
    /// The receipt handle from SQS.
    pub receipt_handle: String,
    /// The body as sent.
    pub body: String,
    attributes: Attributes,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    approximate_receive_count: String,
    sent_timestamp: String,
}

impl SqsRecord {
    /// Returns how many times the message was received, including this time.
    pub fn receive_count(&self) -> u32 {
        // If AWS ever writes something else: it was received at least once.
        self.attributes.approximate_receive_count.parse().unwrap_or(1)
    }

    pub(super) fn sent_at(&self) -> Timestamp {
        from_millis(self.attributes.sent_timestamp.parse().unwrap_or(0))
    }
}

/// An event, by what started the function.
#[derive(Debug)]
pub(super) enum Payload {
    /// A queue's event source mapping.
    Batch(Vec<SqsRecord>),
    /// A schedule or a wake-up: when it was due and, if the event contains them, its name and the worker it is for.
    Tick { due: Timestamp, wakeup: Option<String>, worker: Option<String> },
    /// A request of API Gateway or of a function URL.
    Request(Box<HttpEvent>),
    /// A person, or any other source.
    Manual(Value),
}

#[derive(Deserialize)]
struct Batch {
    #[serde(rename = "Records")]
    records: Vec<SqsRecord>,
}

/// The input of our own schedules, as `shared/aws/src/wakeups/input.rs` and `infra/modules/schedule` write it. Those of earlier
/// versions name the worker without its fleet.
#[derive(Deserialize)]
struct Wakeup {
    wakeup: String,
    worker: String,
    due: Timestamp,
}

/// The event that a scheduled rule of EventBridge sends.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html>
#[derive(Deserialize)]
struct ScheduledEvent {
    time: Timestamp,
}

impl Payload {
    /// Recognises events by the fields that only one kind has. An error names the invalid field.
    pub(super) fn read(event: Value) -> Result<Payload, WorkerError> {
        if event.get("Records").is_some() {
            let Batch { records } = typed(event)?;
            return Ok(Payload::Batch(records));
        }
        if HttpEvent::is(&event) {
            return typed(event).map(Payload::Request);
        }
        if event.get("wakeup").is_some() {
            let Wakeup { wakeup, worker, due } = typed(event)?;
            return Ok(Payload::Tick { due, wakeup: Some(wakeup), worker: Some(worker) });
        }
        if event.get("detail-type").and_then(Value::as_str) == Some("Scheduled Event") {
            let ScheduledEvent { time } = typed(event)?;
            return Ok(Payload::Tick { due: time, wakeup: None, worker: None });
        }
        Ok(Payload::Manual(event))
    }
}

fn typed<T: for<'de> Deserialize<'de>>(event: Value) -> Result<T, WorkerError> {
    serde_path_to_error::deserialize(event).map_err(|error| WorkerError::Event(format!("the event's {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_batch_is_read_as_the_mapping_writes_it() {
        let event = json!({"Records": [{
            "messageId": "059f36b4", "receiptHandle": "AQEB", "body": "{\"id\":7}",
            "attributes": {
                "ApproximateReceiveCount": "2", "SentTimestamp": "1545082649183", "SenderId": "AIDA",
                "ApproximateFirstReceiveTimestamp": "1545082649185"
            },
            "messageAttributes": {}, "md5OfBody": "e4e6", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:work", "awsRegion": "us-east-2"
        }]});
        let Payload::Batch(records) = Payload::read(event).unwrap() else { panic!("no batch") };
        assert_eq!((records[0].message_id.as_str(), records[0].receipt_handle.as_str()), ("059f36b4", "AQEB"));
        assert_eq!((records[0].receive_count(), records[0].body.as_str()), (2, "{\"id\":7}"));
        assert_eq!(records[0].sent_at().to_string(), "2018-12-17T21:37:29.183Z");
    }

    #[test]
    fn a_field_that_is_wrong_is_named() {
        let error = Payload::read(json!({"Records": [{"messageId": 7}]})).unwrap_err().to_string();
        assert!(error.starts_with("the event's Records[0].messageId: invalid type"), "{error}");
        let error = Payload::read(json!({"wakeup": "a", "worker": "b", "due": "soon"})).unwrap_err().to_string();
        assert!(error.starts_with("the event's due: "), "{error}");
    }

    #[test]
    fn schedules_are_told_from_everything_else() {
        let wakeup = json!({"wakeup": "revive", "worker": "reviver", "due": "2026-11-20T10:00:00Z"});
        let rule = json!({"source": "aws.events", "detail-type": "Scheduled Event", "time": "2026-11-20T10:00:00Z"});
        let at: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let ticks = [(wakeup, Some("revive"), Some("reviver")), (rule, None, None)];
        for (event, name, meant) in ticks {
            let Payload::Tick { due, wakeup, worker } = Payload::read(event).unwrap() else { panic!("no tick") };
            assert_eq!((due, wakeup.as_deref(), worker.as_deref()), (at, name, meant));
        }
        for event in [json!(null), json!([1]), json!({"id": 7})] {
            let Payload::Manual(value) = Payload::read(event.clone()).unwrap() else { panic!("{event}") };
            assert_eq!(value, event);
        }
    }
}
