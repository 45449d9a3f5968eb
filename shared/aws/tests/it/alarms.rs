//! Alarms by SNS, read back from a queue that subscribes to the topic.

use std::sync::Arc;

use serde_json::Value;
use stint_core::clock::Clock;
use stint_core::ports::{AlarmId, AlarmKind, AlarmMessage, AlarmSink};
use stint_host::SystemClock;

use crate::account;
use crate::emulator::{ACCOUNT, run, unused, url};

fn message(text: &str) -> AlarmMessage {
    let at = SystemClock.now();
    let id = AlarmId::new("warcraftlogs/discover", "refused").unwrap();
    AlarmMessage { kind: AlarmKind::Reminder, id, text: text.to_owned(), since: at, at, lasted_seconds: 60 }
}

#[test]
fn a_topic_hands_a_message_to_its_subscribers() {
    run(async {
        let prefix = unused();
        let (aws, config) = account(&url().unwrap(), &prefix, Arc::new(SystemClock)).await;
        let (topics, queues) = (aws_sdk_sns::Client::new(&config), aws_sdk_sqs::Client::new(&config));
        let topic = topics.create_topic().name(&prefix).send().await.unwrap().topic_arn.unwrap();
        let queue = queues.create_queue().queue_name(&prefix).send().await.unwrap().queue_url.unwrap();
        let endpoint = format!("arn:aws:sqs:{}:{ACCOUNT}:{prefix}", crate::REGION);
        topics.subscribe().topic_arn(&topic).protocol("sqs").endpoint(endpoint).send().await.unwrap();
        aws.alarm_topic(&topic).send(&message("discovery has stopped – ‘403’")).await.unwrap();
        let received = queues.receive_message().queue_url(queue).wait_time_seconds(5).send().await.unwrap();
        let body: Value = serde_json::from_str(received.messages()[0].body().unwrap()).unwrap();
        assert_eq!(body["Message"], "discovery has stopped – ‘403’");
        assert_eq!(body["Subject"], "Stint: warcraftlogs/discover refused: reminder");
        assert_eq!(body["MessageAttributes"]["kind"]["Value"], "reminder");
        assert_eq!(body["MessageAttributes"]["source"]["Value"], "warcraftlogs/discover");
    });
}

#[test]
fn a_missing_topic_is_named() {
    run(async {
        let (aws, _) = account(&url().unwrap(), "t", Arc::new(SystemClock)).await;
        let topic = format!("arn:aws:sns:{}:{ACCOUNT}:{}", crate::REGION, unused());
        let error = aws.alarm_topic(&topic).send(&message("text")).await.unwrap_err();
        assert!(error.starts_with(&format!("the topic {topic} (SNS): NotFound")), "{error}");
    });
}
