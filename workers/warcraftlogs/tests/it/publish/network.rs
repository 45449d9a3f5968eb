//! Servers that redirect, that never stop sending, and that send more than was requested.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::ManualClock;
use stint_warcraftlogs::publish::{Git, GitSettings, Limits, Publisher};

use super::http::{Reply, Server};
use super::test_remote::{TOKEN_AS_SENT, TestRemote, player, push, shell};

const ID: &str = "1111111111111111111111111111111111111111";

/// A server that sends what `next` produces until the client disconnects, and the number of bytes sent.
fn endless(
    scheme: &'static str,
    head: String,
    mut next: impl FnMut() -> Vec<u8> + Send + 'static,
) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("{scheme}://{}/remote.git", listener.local_addr().unwrap());
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            read_request(&connection, scheme);
            let mut piece = head.clone().into_bytes();
            while connection.write_all(&piece).is_ok() {
                counter.fetch_add(piece.len() as u64, Ordering::SeqCst);
                piece = next();
            }
        }
    });
    (url, sent)
}

/// Reads the request for the list of references.
fn read_request(connection: &TcpStream, scheme: &str) {
    let mut reader = BufReader::new(connection);
    if scheme == "ssh" {
        return;
    }
    if scheme == "git" {
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

/// The head of an HTTP response that lists references.
fn head() -> String {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-git-upload-pack-advertisement\r\n\r\n";
    format!("{head}001e# service=git-upload-pack\n0000")
}

/// `ssh` is a program that passes on what the address sends.
fn settings(test_remote: &TestRemote, url: &str) -> GitSettings {
    let address = url.split('/').nth(2).unwrap().replace(':', "/");
    let ssh_program = shell(&format!("exec 3<>/dev/tcp/{address}; exec cat <&3"));
    GitSettings { url: url.to_owned(), ssh_program, ..test_remote.settings("state") }
}

async fn fail(settings: GitSettings, test_remote: &TestRemote) -> String {
    let folder = test_remote.generate("fresh", &[player("EU", "Ann", 20)]);
    let error = Git::new(settings).publish(&folder).await.unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
    error
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_gets_no_token() {
    for writes_only in [false, true] {
        let test_remote = TestRemote::local();
        let other = Server::start(&test_remote.path(""), |_| Reply::Git);
        let target = format!("http://127.0.0.1:{}", other.port);
        let server =
            Server::start(&test_remote.path(""), move |request| match request.asks_to_write() || !writes_only {
                true => Reply::Head(format!("302 Found\r\nlocation: {target}{}", request.path)),
                false => Reply::Git,
            });
        let settings = settings(&test_remote, &format!("http://127.0.0.1:{}/remote.git", server.port));
        let error = fail(settings, &test_remote).await;
        assert!(error.contains("it redirects to 'http://127.0.0.1:") && error.contains("LUA_REPOSITORY"), "{error}");
        assert_eq!(other.requests().len(), 0);
        assert!(server.requests().iter().all(|request| request.authorization.as_deref() == Some(TOKEN_AS_SENT)));
        assert_eq!(test_remote.git(&["for-each-ref"]).lines().count(), 0, "nothing was pushed");
    }
}

#[tokio::test]
async fn a_refused_token_and_a_missing_repository_are_said() {
    for (status, expected) in [
        ("401 Unauthorized", "it answers 401: it asks for a user and token, or refuses the ones it was given"),
        ("403 Forbidden", "it answers 403"),
        ("404 Not Found", "it answers 404: there is no such repository"),
        ("200 OK", "the address is not a git server"),
        ("500 Oops", "it answers 500"),
    ] {
        let test_remote = TestRemote::local();
        let server = Server::start(&test_remote.path(""), |_| Reply::Head(status.to_owned()));
        let error =
            fail(settings(&test_remote, &format!("http://127.0.0.1:{}/x.git", server.port)), &test_remote).await;
        assert!(error.contains(expected), "{error}");
        assert_eq!(server.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_server_that_trickles_is_given_up_at_the_deadline() {
    for scheme in ["http", "git", "ssh"] {
        let test_remote = TestRemote::local();
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let hand = clock.clone();
        let start = if scheme == "http" { head() } else { String::new() };
        let (url, _) = endless(scheme, format!("{start}fff0"), move || {
            hand.advance(Duration::from_secs(20));
            b"a".to_vec()
        });
        // No byte is late.
        let limits = Limits { silence: Duration::from_secs(1 << 20), ..GitSettings::LIMITS };
        let settings = GitSettings { limits, clock: Arc::new(clock), ..settings(&test_remote, &url) };
        let error = fail(settings, &test_remote).await;
        assert!(error.contains("the publication took longer than 600 s (GIT_DEADLINE_SECONDS)"), "{error}");
    }
}

#[tokio::test]
async fn endless_references_are_not_read() {
    for scheme in ["http", "git", "ssh"] {
        let test_remote = TestRemote::local();
        let start = if scheme == "http" { head() } else { String::new() };
        let mut number = 0;
        let (url, sent) = endless(scheme, start, move || {
            number += 1;
            let line = format!("{ID} refs/tags/{number:032}\n");
            format!("{:04x}{line}", line.len() + 4).into_bytes()
        });
        let error = fail(settings(&test_remote, &url), &test_remote).await;
        assert!(error.contains("it lists more than 100000 references"), "{error}");
        assert!(sent.load(Ordering::SeqCst) < 32 << 20, "{sent:?} bytes were taken");
    }
}

#[tokio::test]
async fn more_bytes_or_objects_than_a_limit_are_not_taken() {
    for test_remote in TestRemote::remote() {
        push(&Git::new(test_remote.settings("state")), &test_remote.generate("fresh", &[player("EU", "Ann", 20)]))
            .await;
        let limited = |limits| GitSettings { limits, ..test_remote.settings("new state") };
        let error = fail(limited(Limits { bytes: 1_000, ..GitSettings::LIMITS }), &test_remote).await;
        assert!(error.contains("it sends more than 1000 bytes"), "{error}");
        let error = fail(limited(Limits { objects: 5, ..GitSettings::LIMITS }), &test_remote).await;
        assert!(error.contains("objects, and at most 5 are taken"), "{error}");
        assert_eq!(test_remote.commits("main"), 1);
    }
}

#[tokio::test]
async fn a_reference_in_another_encoding_is_read_past() {
    for test_remote in TestRemote::remote() {
        test_remote.commit("other", &[("README.md", "theirs\n")]);
        let id = test_remote.git(&["rev-parse", "other"]);
        let packed = [format!("{} refs/heads/caf", id.trim()).as_bytes(), b"\xe9\n"].concat();
        std::fs::write(test_remote.path("remote.git/packed-refs"), packed).unwrap();
        for name in ["Ann", "Bea"] {
            push(&Git::new(test_remote.settings("state")), &test_remote.generate("fresh", &[player("EU", name, 20)]))
                .await;
        }
        assert_eq!(test_remote.commits("main"), 2);
    }
}

#[tokio::test]
async fn why_a_server_has_no_list_is_said() {
    let test_remote = TestRemote::served();
    let url = test_remote.settings("state").url.replace("remote.git", "absent.git");
    let error = fail(settings(&test_remote, &url), &test_remote).await;
    assert!(error.contains("it says: access denied or repository not exported: /absent.git"), "{error}");
}

#[tokio::test]
async fn what_ssh_says_is_said() {
    let test_remote = TestRemote::over_ssh();
    let with = |ssh_program| GitSettings { ssh_program, ..test_remote.settings("state") };
    let refused = shell("echo 'Permission denied\x1b[2J (publickey).' >&2; exit 255");
    let error = fail(with(refused), &test_remote).await;
    assert!(error.contains("ssh says: Permission denied") && error.contains("(publickey)."), "{error}");
    let error = fail(with(vec!["/nowhere/ssh".to_owned()]), &test_remote).await;
    assert!(
        error.contains("cannot start '/nowhere/ssh'") && error.contains("install the client of OpenSSH"),
        "{error}"
    );
    let silent = GitSettings { url: test_remote.settings("").url + "/absent", ..with(shell("exit 1")) };
    let error = fail(silent, &test_remote).await;
    assert!(error.contains("cannot fetch from ssh://***@remote.invalid/"), "{error}");
}

#[tokio::test]
async fn what_unpacks_to_more_than_a_limit_is_not_taken() {
    for test_remote in TestRemote::remote() {
        // One object that is mostly zeros, and many that are nearly equal to the previous one.
        let zeros = "0".repeat(4 << 20);
        let mut noise = 1_u64;
        let mut text: Vec<u8> = (0..100_000).map(|_| digit(&mut noise)).collect();
        let mut chain = Vec::new();
        for number in 0..40 {
            text[number * 100] = b'x';
            chain.push((format!("chain/{number}"), String::from_utf8(text.clone()).unwrap()));
        }
        for files in [vec![("zeros".to_owned(), zeros)], chain] {
            let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
            test_remote.commit("main", &files);
            test_remote.git(&["repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=50"]);
            let pack = test_remote.path("remote.git/objects/pack").read_dir().unwrap().map(|file| file.unwrap());
            let bytes: u64 = pack.map(|file| file.metadata().unwrap().len()).sum();
            assert!(bytes < 500_000, "{bytes}");
            let limits = Limits { unpacked: 2_000_000, bytes: 1_000_000, ..GitSettings::LIMITS };
            let settings = GitSettings { limits, ..test_remote.settings("state") };
            let error = fail(settings, &test_remote).await;
            assert!(error.contains("what it sends unpacks to more than 2000000 bytes"), "{error}");
            test_remote.git(&["update-ref", "-d", "refs/heads/main"]);
        }
    }
}

fn digit(state: &mut u64) -> u8 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    b'0' + (*state >> 33) as u8 % 10
}
