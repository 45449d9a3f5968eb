//! A server on loopback with answers that no emulator gives, and a clock on which waiting takes no time.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};
use stint_core::clock::{Clock, ManualClock};

/// The answer to one request.
pub(crate) struct Answer {
    status: u16,
    /// The error code, if it is an error.
    error: &'static str,
    body: Value,
    /// Runs before the answer is sent, for what happens elsewhere meanwhile.
    meanwhile: Box<dyn FnOnce() + Send>,
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Answer {
        Answer { status: 200, error: "", body, meanwhile: Box::new(|| ()) }
    }

    pub(crate) fn error(status: u16, error: &'static str) -> Answer {
        let body = json!({ "__type": error, "Message": "scripted", "message": "scripted" });
        Answer { status, error, body, meanwhile: Box::new(|| ()) }
    }

    /// Returns an error with more than its code.
    pub(crate) fn refusal(status: u16, error: &'static str, body: Value) -> Answer {
        Answer { body, ..Answer::error(status, error) }
    }

    pub(crate) fn meanwhile(self, meanwhile: impl FnOnce() + Send + 'static) -> Answer {
        Answer { meanwhile: Box::new(meanwhile), ..self }
    }
}

/// A request as received.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedRequest {
    /// Method and path, or the operation in AWS's JSON protocol.
    pub(crate) operation: String,
    pub(crate) body: Value,
}

/// A server that gives these answers in order, and then none.
pub(crate) struct Server {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<ReceivedRequest>>>,
}

impl Server {
    pub(crate) fn start(answers: impl IntoIterator<Item = Answer>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard: Arc<Mutex<Vec<ReceivedRequest>>> = Arc::default();
        let (mut answers, list) = (answers.into_iter().collect::<VecDeque<_>>(), heard.clone());
        std::thread::spawn(move || {
            while let Some(answer) = answers.pop_front() {
                let (mut connection, _) = listener.accept().unwrap();
                list.lock().unwrap().push(read_request(&connection));
                (answer.meanwhile)();
                write_response(&mut connection, answer.status, answer.error, &answer.body.to_string());
            }
        });
        Server { url, heard }
    }

    /// Returns the requests so far.
    pub(crate) fn heard(&self) -> Vec<ReceivedRequest> {
        self.heard.lock().unwrap().clone()
    }

    /// Returns the operations of the requests so far.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.heard().into_iter().map(|heard| heard.operation).collect()
    }
}

fn read_request(connection: &TcpStream) -> ReceivedRequest {
    let mut reader = BufReader::new(connection);
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line).unwrap();
    let path = line.split('?').next().unwrap_or_default();
    let mut operation = path.split(' ').take(2).collect::<Vec<_>>().join(" ");
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "x-amz-target" => operation = value.rsplit('.').next().unwrap_or_default().to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    ReceivedRequest { operation, body: serde_json::from_slice(&body).unwrap_or_default() }
}

fn write_response(connection: &mut TcpStream, status: u16, error: &str, body: &str) {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Scripted\r\nConnection: close\r\nContent-Length: {length}\r\n");
    let error = if error.is_empty() { String::new() } else { format!("x-amzn-errortype: {error}\r\n") };
    write!(connection, "{head}{error}\r\n{body}").unwrap();
}

/// A clock that jumps to the deadline of each sleep.
#[derive(Clone)]
pub(crate) struct InstantClock(pub(crate) ManualClock);

impl InstantClock {
    pub(crate) fn new() -> InstantClock {
        InstantClock(ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap()))
    }
}

impl Clock for InstantClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        self.0.advance_to(deadline);
        async {}.boxed()
    }
}
