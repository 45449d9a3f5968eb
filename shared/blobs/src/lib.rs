//! Blobs in a folder, or in a bucket of S3.
//!
//! [`FolderBlobs`] is our own and not `object_store`'s: that one keeps no headers and knows no conditional replacement
//! (`docs/decisions/0027-blobs-in-a-folder-keep-their-headers.md`).

#![warn(missing_docs)]

#[cfg(feature = "aws")]
mod bucket;
#[cfg(feature = "aws")]
mod config;
mod folder;
mod headers;

#[cfg(feature = "aws")]
pub use bucket::{BucketBlobs, open_bucket, open_bucket_with};
pub use folder::FolderBlobs;
