//! A bucket in the emulator: a separate process whose address is in `STINT_AWS_EMULATOR_URL`.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::aws::AmazonS3Builder;
use stint_blobs::{BucketBlobs, open_bucket_with};
use stint_core::ports::{Blobs, PortResult};
use stint_testkit::BlobWorld;

const REGION: &str = "eu-west-1";

struct BucketWorld {
    url: String,
    bucket: String,
}

#[async_trait]
impl BlobWorld for BucketWorld {
    async fn blobs(&self) -> PortResult<Arc<dyn Blobs>> {
        let emulator = AmazonS3Builder::new().with_endpoint(&self.url).with_region(REGION);
        let emulator = emulator.with_access_key_id("test").with_secret_access_key("test");
        Ok(Arc::new(BucketBlobs::new(open_bucket_with(emulator, &self.bucket, "some/prefix")?)))
    }
}

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

/// Returns a bucket that no other test uses. It is created with a plain request, because buckets belong to the
/// infrastructure, so no client here can create one.
async fn bucket() -> BucketWorld {
    let url = url().unwrap();
    let bucket = format!("t{:x}", RandomState::new().build_hasher().finish());
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
    BucketWorld { url, bucket }
}

stint_testkit::blobs_suite!(crate::bucket::run, crate::bucket::bucket());
