//! What the client of S3 reads from the environment.

use object_store::aws::AmazonS3Builder;

/// Region, credentials and endpoint, from the variables that AWS's own tools read.
pub(super) fn s3_of_environment() -> AmazonS3Builder {
    AmazonS3Builder::from_env()
}
