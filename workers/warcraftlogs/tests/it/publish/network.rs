//! Servers that lead elsewhere, that never come to an end, and that send more than anyone has asked for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::ManualClock;
use stint_warcraftlogs::publish::{Git, GitSettings, Limits, Publisher};

use super::http::{Reply, Server};
use super::place::{Place, TOKEN_AS_SENT, player, push};

const ID: &str = "1111111111111111111111111111111111111111";

/// A server of one's own making, and how much it has sent. It sends what `next` makes until nobody takes it any more.
fn endless(scheme: &str, head: String, mut next: impl FnMut() -> Vec<u8> + Send + 'static) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("{scheme}://{}/remote.git", listener.local_addr().unwrap());
    let (sent, is_http) = (Arc::new(AtomicU64::new(0)), scheme == "http");
    let counter = Arc::clone(&sent);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            read_request(&connection, is_http);
            let mut piece = head.clone().into_bytes();
            while connection.write_all(&piece).is_ok() {
                counter.fetch_add(piece.len() as u64, Ordering::SeqCst);
                piece = next();
            }
        }
    });
    (url, sent)
}

/// Reads what asks for the list of references.
fn read_request(connection: &TcpStream, is_http: bool) {
    let mut reader = BufReader::new(connection);
    if !is_http {
        let mut length = [0; 4];
        reader.read_exact(&mut length).unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&length).unwrap(), 16).unwrap();
        reader.read_exact(&mut vec![0; length - 4]).unwrap();
        return;
    }
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 2 {
        line.clear();
    }
}

/// How an answer over HTTP begins that lists references.
fn head() -> String {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-git-upload-pack-advertisement\r\n\r\n";
    format!("{head}001e# service=git-upload-pack\n0000")
}

fn settings(place: &Place, url: &str) -> GitSettings {
    GitSettings { url: url.to_owned(), ..place.settings("state") }
}

async fn fail(settings: GitSettings, place: &Place) -> String {
    let folder = place.generate("fresh", &[player("EU", "Ann", 20)]);
    let error = Git::new(settings).publish(&folder).await.unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
    error
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_gets_no_token() {
    for writes_only in [false, true] {
        let place = Place::local();
        let other = Server::start(&place.path(""), |_| Reply::Git);
        let target = format!("http://127.0.0.1:{}", other.port);
        let server = Server::start(&place.path(""), move |request| match request.asks_to_write() || !writes_only {
            true => Reply::Head(format!("302 Found\r\nlocation: {target}{}", request.path)),
            false => Reply::Git,
        });
        let settings = settings(&place, &format!("http://127.0.0.1:{}/remote.git", server.port));
        let error = fail(settings, &place).await;
        assert!(error.contains("it redirects to 'http://127.0.0.1:") && error.contains("LUA_REPOSITORY"), "{error}");
        assert_eq!(other.requests().len(), 0);
        assert!(server.requests().iter().all(|request| request.authorization.as_deref() == Some(TOKEN_AS_SENT)));
        assert_eq!(place.git(&["for-each-ref"]).lines().count(), 0, "nothing was pushed");
    }
}

#[tokio::test]
async fn a_refused_token_and_a_missing_repository_are_said() {
    for (status, expected) in [
        ("401 Unauthorized", "it answers 401: it asks for a user and token, or refuses the ones it was given"),
        ("403 Forbidden", "it answers 403"),
        ("404 Not Found", "it answers 404: there is no such repository"),
        ("200 OK", "what answers there is no git server"),
        ("500 Oops", "it answers 500"),
    ] {
        let place = Place::local();
        let server = Server::start(&place.path(""), |_| Reply::Head(status.to_owned()));
        let error = fail(settings(&place, &format!("http://127.0.0.1:{}/x.git", server.port)), &place).await;
        assert!(error.contains(expected), "{error}");
        assert_eq!(server.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_server_that_trickles_is_given_up_at_the_deadline() {
    for scheme in ["http", "git"] {
        let place = Place::local();
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let hand = clock.clone();
        let start = if scheme == "http" { head() } else { String::new() };
        let (url, _) = endless(scheme, format!("{start}fff0"), move || {
            hand.advance(Duration::from_secs(20));
            b"a".to_vec()
        });
        // Not one of the bytes is late.
        let limits = Limits { silence: Duration::from_secs(1 << 20), ..GitSettings::LIMITS };
        let settings = GitSettings { limits, clock: Arc::new(clock), ..settings(&place, &url) };
        let error = fail(settings, &place).await;
        assert!(error.contains("the publication took longer than 600 s (GIT_DEADLINE_SECONDS)"), "{error}");
    }
}

#[tokio::test]
async fn endless_references_are_not_read() {
    for scheme in ["http", "git"] {
        let place = Place::local();
        let start = if scheme == "http" { head() } else { String::new() };
        let mut number = 0;
        let (url, sent) = endless(scheme, start, move || {
            number += 1;
            let line = format!("{ID} refs/tags/{number:032}\n");
            format!("{:04x}{line}", line.len() + 4).into_bytes()
        });
        let error = fail(settings(&place, &url), &place).await;
        assert!(error.contains("it lists more than 100000 references"), "{error}");
        assert!(sent.load(Ordering::SeqCst) < 32 << 20, "{sent:?} bytes were taken");
    }
}

#[tokio::test]
async fn more_bytes_or_objects_than_a_limit_are_not_taken() {
    for place in [Place::served(), Place::over_http()] {
        push(&Git::new(place.settings("state")), &place.generate("fresh", &[player("EU", "Ann", 20)])).await;
        let limited = |limits| GitSettings { limits, ..place.settings("new state") };
        let error = fail(limited(Limits { bytes: 1_000, ..GitSettings::LIMITS }), &place).await;
        assert!(error.contains("it sends more than 1000 bytes"), "{error}");
        let error = fail(limited(Limits { objects: 5, ..GitSettings::LIMITS }), &place).await;
        assert!(error.contains("objects, and at most 5 are taken"), "{error}");
        assert_eq!(place.commits("main"), 1);
    }
}

#[tokio::test]
async fn a_reference_in_another_encoding_is_read_past() {
    for place in [Place::served(), Place::over_http()] {
        place.commit("other", &[("README.md", "theirs\n")]);
        let id = place.git(&["rev-parse", "other"]);
        let packed = [format!("{} refs/heads/caf", id.trim()).as_bytes(), b"\xe9\n"].concat();
        std::fs::write(place.path("remote.git/packed-refs"), packed).unwrap();
        for name in ["Ann", "Bea"] {
            push(&Git::new(place.settings("state")), &place.generate("fresh", &[player("EU", name, 20)])).await;
        }
        assert_eq!(place.commits("main"), 2);
    }
}
