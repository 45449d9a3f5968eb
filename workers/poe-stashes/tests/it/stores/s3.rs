//! S3 in an emulator: a separate process whose address is in `STINT_AWS_EMULATOR_URL`.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{Read, Write};
use std::net::TcpStream;

use object_store::aws::AmazonS3Builder;
use stint_poe_stashes::store::Objects;

use super::Backend;

/// More bytes than two parts of any backend under test.
pub(super) const TWO_PARTS: usize = 11 * 1024 * 1024;

/// S3 accepts no smaller part except the last. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const LEAST_PART: usize = 5 * 1024 * 1024;

const REGION: &str = "eu-west-1";

/// Runs a test against the emulator, or prints why it is skipped.
#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn run(test: impl Future<Output = ()>) {
    match url() {
        Some(_) => tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test),
        None => eprintln!("skipped: STINT_AWS_EMULATOR_URL names no emulator; scripts/test starts one"),
    }
}

fn url() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let url = std::env::var("STINT_AWS_EMULATOR_URL").ok()?;
    Some(url.trim_end_matches('/').to_owned())
}

/// Returns a bucket that no other test uses.
fn bucket() -> Backend {
    let url = url().unwrap();
    let name = format!("t{:x}", RandomState::new().build_hasher().finish());
    create(&url, &name);
    let emulator = AmazonS3Builder::new().with_endpoint(&url).with_region(REGION);
    let emulator = emulator.with_access_key_id("test").with_secret_access_key("test");
    super::objects(Objects::on_s3(emulator, &name, "poe/pages").unwrap().with_part(LEAST_PART))
}

/// Creates a bucket with a plain request: buckets belong to the infrastructure, so no client here can create one.
fn create(url: &str, bucket: &str) {
    let host = url.trim_start_matches("http://");
    let scope = format!("Credential=test/20261120/{REGION}/s3/aws4_request, SignedHeaders=host, Signature=0");
    let body = format!(
        "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
    );
    let mut connection = TcpStream::connect(host).unwrap();
    write!(
        connection,
        "PUT /{bucket} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: AWS4-HMAC-SHA256 {scope}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

crate::stores::store_suite!(crate::stores::s3::run, crate::stores::s3::bucket());
