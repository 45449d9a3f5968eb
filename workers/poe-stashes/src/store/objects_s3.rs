//! Buckets of S3.

use object_store::aws::AmazonS3Builder;
use stint_blobs::{open_bucket, open_bucket_with};
use stint_core::ports::PortResult;

use super::Objects;

impl Objects {
    /// Opens an S3 bucket, under `prefix`. Region, credentials and endpoint come from the environment variables of
    /// AWS's own tools.
    pub fn in_s3(bucket: &str, prefix: &str) -> PortResult<Objects> {
        Ok(Objects::new(open_bucket(bucket, prefix)?))
    }

    /// Opens an S3 bucket with the connection settings of `builder`.
    pub fn on_s3(builder: AmazonS3Builder, bucket: &str, prefix: &str) -> PortResult<Objects> {
        Ok(Objects::new(open_bucket_with(builder, bucket, prefix)?))
    }
}
