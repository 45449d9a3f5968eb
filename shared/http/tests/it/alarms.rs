//! Alarms by webhook, and the alarms of breakers.

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::executor::block_on;
use secrecy::SecretString;
use stint_core::alarms::AlarmingBreakers;
use stint_core::circuit::{Health, Intent};
use stint_core::clock::{Clock, ManualClock};
use stint_core::ports::{AlarmId, AlarmKind, AlarmMessage, AlarmRecord, AlarmSink, Alarms, PortError, PortResult};
use stint_http::{Breaker, MemoryBreakers, ReqwestTransport, WebhookSink};

use crate::breaker::{SETTINGS, call, failed, open};
use crate::loopback::{serve, serve_all, write};

fn message() -> AlarmMessage {
    AlarmMessage {
        kind: AlarmKind::Raised,
        id: AlarmId::new("warcraftlogs", "api").expect("an id"),
        text: "warcraftlogs: api is down – “502”".to_owned(),
        since: "2026-11-20T10:00:00Z".parse().expect("an instant"),
        at: "2026-11-20T10:00:00Z".parse().expect("an instant"),
        lasted_seconds: 0,
    }
}

/// A clock whose sleeps end at once.
#[derive(Clone)]
struct Instantly(ManualClock);

impl Clock for Instantly {
    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }

    fn sleep_until(&self, deadline: jiff::Timestamp) -> futures::future::BoxFuture<'static, ()> {
        self.0.advance_to(deadline);
        self.0.sleep_until(deadline)
    }
}

fn send(address: &str) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let transport = Arc::new(ReqwestTransport::new("stint-tests").expect("a transport"));
        let clock = Arc::new(Instantly(ManualClock::new(jiff::Timestamp::UNIX_EPOCH)));
        WebhookSink::new(&SecretString::from(address), transport, clock)?.send(&message()).await
    })
}

fn answer(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

#[test]
fn a_webhook_receives_the_message_as_json() {
    let body = Arc::new(Mutex::new(String::new()));
    let received = body.clone();
    let (address, heads) = serve(move |stream| {
        let mut bytes = [0; 4096];
        let mut text = Vec::new();
        while serde_json::from_slice::<serde_json::Value>(&text).is_err() {
            let read = stream.read(&mut bytes).expect("a body");
            text.extend_from_slice(&bytes[..read]);
        }
        *received.lock().expect("lock") = String::from_utf8(text).expect("text");
        write(stream, answer("204 No Content").as_bytes());
    });
    assert_eq!(send(&format!("http://{address}/hook/token-1234")), Ok(()));
    let head = heads.recv().expect("a head");
    assert!(head.starts_with("post /hook/token-1234 http/1.1") && head.contains("application/json"), "{head}");
    let body: serde_json::Value = serde_json::from_str(&body.lock().expect("lock")).expect("json");
    assert_eq!(body["text"], "warcraftlogs: api is down – “502”");
    assert_eq!(
        (&body["kind"], &body["source"], &body["name"]),
        (&"raised".into(), &"warcraftlogs".into(), &"api".into())
    );
    assert_eq!((&body["since"], &body["lasted_seconds"]), (&"2026-11-20T10:00:00Z".into(), &0.into()));
}

#[test]
fn a_webhook_that_fails_is_tried_three_times() {
    let (address, heads) = serve_all(["502 Bad Gateway", "429 Too Many Requests", "200 OK"].map(answer));
    assert_eq!(send(&format!("http://{address}/hook")), Ok(()));
    assert_eq!(heads.iter().count(), 3);
    let (address, _heads) = serve_all(["503 Unavailable"; 3].map(answer));
    let expected = format!("the webhook at {address} returned status 503");
    assert_eq!(send(&format!("http://{address}/hook/token-1234")), Err(expected));
}

/// Neither a refusal nor a redirect is repeated. No error contains the address, which is a secret.
#[test]
fn a_refusal_is_final_and_names_no_secret() {
    for status in ["404 Not Found", "302 Found"] {
        let (address, heads) = serve_all([answer(status)]);
        let error = send(&format!("http://{address}/hook/token-1234")).expect_err("refused");
        assert!(error.contains(&status[..3]) && !error.contains("token"), "{error}");
        assert_eq!(heads.iter().count(), 1);
    }
    for address in ["token-1234", "ftp://host/token-1234", "https:///token-1234", "http://[::token-1234", ""] {
        let error = send(address).expect_err("invalid");
        assert!(error.contains("https://") && !error.contains("token"), "{error}");
    }
}

/// Records what breakers report.
#[derive(Default)]
struct Reported {
    calls: Mutex<Vec<String>>,
    fails: Mutex<bool>,
}

impl Reported {
    fn call(&self, call: String) -> PortResult<()> {
        self.calls.lock().expect("lock").push(call);
        if *self.fails.lock().expect("lock") { Err(PortError::Invalid("away".to_owned())) } else { Ok(()) }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().expect("lock"))
    }
}

#[async_trait]
impl Alarms for Reported {
    async fn raise(&self, id: &AlarmId, text: &str) -> PortResult<()> {
        self.call(format!("{} {text}", id.key()))
    }

    async fn clear(&self, id: &AlarmId) -> PortResult<()> {
        self.call(format!("{} cleared", id.key()))
    }

    async fn open(&self) -> PortResult<Vec<AlarmRecord>> {
        Ok(Vec::new())
    }
}

struct Upstream {
    clock: ManualClock,
    store: Arc<MemoryBreakers>,
    alarms: Arc<Reported>,
}

impl Upstream {
    fn new() -> Upstream {
        Upstream { clock: ManualClock::new(crate::scripted::start()), store: Arc::default(), alarms: Arc::default() }
    }

    /// Returns the breaker of another process.
    fn process(&self) -> Breaker {
        let clock = Arc::new(self.clock.clone());
        let store = AlarmingBreakers::new(self.store.clone(), self.alarms.clone(), "fleet", clock.clone());
        Breaker::new("api", Arc::new(store), clock, SETTINGS)
    }
}

#[test]
fn an_outage_is_reported_by_every_process_that_sees_it() {
    block_on(async {
        let upstream = Upstream::new();
        let one = upstream.process();
        call(&one, Intent::Work, &Health::Served).await;
        assert_eq!(upstream.alarms.take(), ["fleet:api cleared"], "a process that was killed may have left one");
        open(&one).await;
        let down = "fleet:api api is down: status 502";
        assert_eq!(upstream.alarms.take(), [down]);
        let two = upstream.process();
        two.waits(Intent::Work).await;
        assert_eq!(upstream.alarms.take(), [down]);
        for _ in 0..12 {
            upstream.clock.advance(Duration::from_secs(10));
            one.waits(Intent::Work).await;
        }
        assert_eq!(upstream.alarms.take(), [down; 2], "once a minute");
        upstream.clock.advance(SETTINGS.longest_delay);
        call(&one, Intent::Probe, &Health::Served).await;
        assert_eq!(upstream.alarms.take().last().map(String::as_str), Some("fleet:api cleared"));
    });
}

#[test]
fn alarms_that_fail_stop_no_call_and_are_tried_again() {
    block_on(async {
        let upstream = Upstream::new();
        *upstream.alarms.fails.lock().expect("lock") = true;
        let one = upstream.process();
        for _ in 0..3 {
            assert!(call(&one, Intent::Work, &Health::Served).await);
            upstream.clock.advance(Duration::from_secs(6));
        }
        assert_eq!(upstream.alarms.take().len(), 3);
        *upstream.alarms.fails.lock().expect("lock") = false;
        call(&one, Intent::Work, &failed()).await;
        assert_eq!(upstream.alarms.take(), ["fleet:api cleared"]);
    });
}
