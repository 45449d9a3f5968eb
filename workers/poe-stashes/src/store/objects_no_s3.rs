//! Buckets of S3, where this program was built without AWS.

use stint_core::ports::{PortError, PortResult};

use super::Objects;

impl Objects {
    /// Says that a bucket cannot be had.
    pub fn in_s3(_: &str, _: &str) -> PortResult<Objects> {
        Err(PortError::Invalid(WITHOUT_S3.to_owned()))
    }
}

/// What is missing, and how to get it.
pub(crate) const WITHOUT_S3: &str = "this program was built without AWS, and so without S3: build it with --features aws, or \
                                     with --features cloud for every backend in the cloud";
