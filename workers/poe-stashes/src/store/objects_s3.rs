//! Buckets of S3.

use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, S3CopyIfNotExists};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use stint_core::ports::{PortError, PortResult};
use stint_http::provide_tls;

use super::Objects;
use super::config::s3_of_environment;

impl Objects {
    /// Opens an S3 bucket, under `prefix`. Region, credentials and endpoint come from the environment variables of
    /// AWS's own tools.
    pub fn in_s3(bucket: &str, prefix: &str) -> PortResult<Objects> {
        Objects::on_s3(s3_of_environment(), bucket, prefix)
    }

    /// Opens an S3 bucket with the connection settings of `builder`.
    pub fn on_s3(builder: AmazonS3Builder, bucket: &str, prefix: &str) -> PortResult<Objects> {
        provide_tls();
        // An address without TLS belongs to an emulator: AWS's own addresses use it.
        let builder = builder.with_bucket_name(bucket).with_allow_http(true);
        // A copy is an upload of one part, since S3 supports conditions at the end of an upload and none for a copy.
        let built = builder.with_copy_if_not_exists(S3CopyIfNotExists::Multipart).build();
        let store = built.map_err(|error| PortError::backend(format!("could not use the bucket {bucket}"), error))?;
        let prefix = Path::from(prefix);
        Ok(Objects::new(if prefix.as_ref().is_empty() {
            Arc::new(store)
        } else {
            Arc::new(PrefixStore::new(store, prefix))
        }))
    }
}
