//! What the embedded queue guarantees beyond the port: the order, however many messages are waiting.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use stint_core::ports::{NewMessage, Queue};
use stint_embedded::Embedded;

use crate::{SETTINGS, clock};

#[test]
fn the_message_that_was_visible_first_is_received_first() {
    let clock = clock();
    let queue = Embedded::in_memory(Arc::new(clock.clone())).unwrap().queue("work", SETTINGS);
    block_on(async {
        for number in 0..30 {
            let delay = if number == 0 { Duration::from_secs(1) } else { Duration::ZERO };
            queue.send(&[NewMessage { body: number.to_string(), delay }]).await.unwrap();
        }
        clock.advance(Duration::from_secs(2));
        queue.send(&[NewMessage::new("last")]).await.unwrap();
        let mut seen = Vec::new();
        loop {
            let batch = queue.receive(7).await.unwrap();
            if batch.is_empty() {
                break;
            }
            seen.extend(batch.into_iter().map(|delivery| delivery.body));
        }
        let mut expected: Vec<String> = (1..30).map(|number| number.to_string()).collect();
        expected.extend(["0".into(), "last".into()]);
        assert_eq!(seen, expected);
    });
}

#[test]
fn ids_and_receipts_do_not_come_back() {
    let clock = clock();
    let queue = Embedded::in_memory(Arc::new(clock.clone())).unwrap().queue("work", SETTINGS);
    block_on(async {
        queue.send(&[NewMessage::new("first")]).await.unwrap();
        let first = queue.receive(1).await.unwrap().remove(0);
        queue.purge(true).await.unwrap();
        queue.send(&[NewMessage::new("second")]).await.unwrap();
        let second = queue.receive(1).await.unwrap().remove(0);
        assert_ne!(first.message_id, second.message_id);
        queue.acknowledge(&[first.receipt]).await.unwrap();
        assert_eq!(queue.counts().await.unwrap().in_flight, 1);
    });
}
