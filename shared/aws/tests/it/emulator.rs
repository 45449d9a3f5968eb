//! The emulator, and what it does not support. It is a separate process at `STINT_AWS_EMULATOR_URL`, started by
//! `scripts/lib/aws/emulator.py`. Its time is the date with which a request is signed.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

/// The emulator's account, and a role in it.
pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/stint";

/// The tests of the suites that are not run against the emulator, and why.
const SKIPPED: &[(&str, &str)] = &[
    (
        "peeking_does_not_receive",
        "SQS itself shows no message without receiving it; SqsQueue refuses to peek, and a test of its own says so",
    ),
    (
        "each_message_is_counted_once",
        "SQS counts messages released with a delay as in flight; a test of its own counts everything else",
    ),
    (
        "a_stale_receipt_is_ignored",
        "moto lets a stale receipt delete the message; SQS does not, and how its answers are taken is a unit test",
    ),
];

/// Returns the emulator's address, or `None` if there is none.
pub(crate) fn url() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let url = std::env::var("STINT_AWS_EMULATOR_URL").ok()?;
    Some(url.trim_end_matches('/').to_owned())
}

/// Runs a test against the emulator, or says why it does not.
#[expect(clippy::print_stderr, reason = "a skipped test says why")]
pub(crate) fn run<F: Future<Output = ()>>(test: F) {
    if url().is_none() {
        eprintln!("skipped: STINT_AWS_EMULATOR_URL names no emulator; scripts/test starts one");
        return;
    }
    // The name of the future's type ends in the name of its function.
    let name = std::any::type_name::<F>().trim_end_matches("::{{closure}}");
    match SKIPPED.iter().find(|(test, _)| name.ends_with(&format!("::{test}"))) {
        Some((_, reason)) => eprintln!("skipped: {reason}"),
        None => block_on(test),
    }
}

/// Says why a test ends here.
#[expect(clippy::print_stderr, reason = "a skipped test says why")]
pub(crate) fn skip_rest(reason: &str) {
    eprintln!("skipped from here on: {reason}");
}

/// Runs a future on its own runtime.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Returns a prefix for names that no test of any process has used in this emulator.
pub(crate) fn unused() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let random = RandomState::new().build_hasher().finish() as u32;
    format!("t{random:x}-{}", COUNT.fetch_add(1, Ordering::SeqCst))
}

/// Creates the role that functions need. This is a request to IAM, for which nothing else here needs a client.
pub(crate) fn create_role() {
    let body = "Action=CreateRole&RoleName=stint&AssumeRolePolicyDocument=%7B%7D&Version=2010-05-08";
    let url = url().unwrap();
    let host = url.trim_start_matches("http://");
    let scope = "Credential=test/20261120/eu-west-1/iam/aws4_request, SignedHeaders=host, Signature=0";
    let mut connection = TcpStream::connect(host).unwrap();
    write!(
        connection,
        "POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: AWS4-HMAC-SHA256 {scope}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("CreateRoleResult") || answer.contains("EntityAlreadyExists"), "{answer}");
}
