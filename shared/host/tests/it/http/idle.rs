//! Connections that send nothing.

use std::net::TcpStream;

use stint_host::http::ServerLimits;
use stint_testkit::http::http_registry;

use super::world::RunningHost;

/// How many connections the test opens if this process may have so many files.
const IDLE: usize = 10_000;

/// Returns how many files this process may have open.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX)
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that was reduced says so")]
fn ten_thousand_idle_connections_do_not_stop_others() {
    let limits = ServerLimits { connections: 100, ..ServerLimits::default() };
    let host = RunningHost::serving(http_registry(), limits);
    // Other tests of this process have files too.
    let count = IDLE.min(open_files().saturating_sub(700));
    if count < IDLE {
        eprintln!("only {count} idle connections: this process may have too few open files");
    }
    let idle: Vec<TcpStream> = (0..count).map(|_| TcpStream::connect(host.address).unwrap()).collect();
    for _ in 0..20 {
        let mut client = host.connect();
        for _ in 0..2 {
            assert_eq!(client.get("/echo/1", &[]).unwrap().status, 200);
        }
    }
    drop(idle);
}

#[test]
fn a_connection_that_is_being_served_is_not_closed_for_a_new_one() {
    let limits = ServerLimits { connections: 2, ..ServerLimits::default() };
    let host = RunningHost::serving(http_registry(), limits);
    let mut slow = host.connect();
    slow.write(b"GET /slow HTTP/1.1\r\nhost: test.example\r\n\r\n").unwrap();
    for _ in 0..20 {
        assert_eq!(host.connect().get("/echo/1", &[]).unwrap().status, 200);
    }
    assert_eq!(slow.receive(false).unwrap().status, 504);
}
