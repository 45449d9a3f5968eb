//! Blobs in a bucket of S3.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3Builder, S3CopyIfNotExists};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    Attribute, Attributes, Error, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, UpdateVersion,
};
use stint_core::ports::{Blob, BlobHeaders, BlobInfo, BlobName, BlobPut, BlobTag, Blobs, PortError, PortResult, PutIf};
use stint_http::provide_tls;

use crate::config::s3_of_environment;

/// Opens a bucket, under `prefix`. Region, credentials and endpoint come from the environment variables of AWS's own
/// tools.
pub fn open_bucket(bucket: &str, prefix: &str) -> PortResult<Arc<dyn ObjectStore>> {
    open_bucket_with(s3_of_environment(), bucket, prefix)
}

/// Opens a bucket with the connection settings of `builder`.
pub fn open_bucket_with(builder: AmazonS3Builder, bucket: &str, prefix: &str) -> PortResult<Arc<dyn ObjectStore>> {
    provide_tls();
    // An address without TLS belongs to an emulator: AWS's own addresses use it.
    let builder = builder.with_bucket_name(bucket).with_allow_http(true);
    // A copy is an upload of one part, since S3 supports conditions at the end of an upload and none for a copy.
    let built = builder.with_copy_if_not_exists(S3CopyIfNotExists::Multipart).build();
    let store = built.map_err(|error| PortError::backend(format!("could not use the bucket {bucket}"), error))?;
    let prefix = Path::from(prefix);
    Ok(if prefix.as_ref().is_empty() { Arc::new(store) } else { Arc::new(PrefixStore::new(store, prefix)) })
}

/// Blobs in a bucket. A conditional put names the entity tag of the object that it replaces.
#[derive(Clone, Debug)]
pub struct BucketBlobs {
    store: Arc<dyn ObjectStore>,
}

impl BucketBlobs {
    /// Returns the blobs of a bucket, which is opened with [`open_bucket`].
    pub fn new(store: Arc<dyn ObjectStore>) -> BucketBlobs {
        BucketBlobs { store }
    }

    async fn find(&self, name: &BlobName, options: GetOptions) -> PortResult<Option<GetResult>> {
        match self.store.get_opts(&path(name), options).await {
            Ok(found) => Ok(Some(found)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("read", name, error)),
        }
    }
}

#[async_trait]
impl Blobs for BucketBlobs {
    async fn put(
        &self,
        name: &BlobName,
        content: Bytes,
        headers: &BlobHeaders,
        condition: PutIf,
    ) -> PortResult<BlobPut> {
        let mode = match condition {
            PutIf::Always => PutMode::Overwrite,
            PutIf::Absent => PutMode::Create,
            PutIf::Unchanged(BlobTag(tag)) => PutMode::Update(UpdateVersion { e_tag: Some(tag), version: None }),
        };
        let options = PutOptions { mode, attributes: attributes(headers), ..PutOptions::default() };
        match self.store.put_opts(&path(name), content.into(), options).await {
            Ok(put) => Ok(BlobPut::Stored(tag(put.e_tag))),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotFound { .. }) => {
                Ok(BlobPut::Refused)
            }
            Err(error) => Err(failed("write", name, error)),
        }
    }

    async fn get(&self, name: &BlobName, range: Option<Range<u64>>) -> PortResult<Option<Blob>> {
        if range.as_ref().is_some_and(Range::is_empty) {
            return Err(crate::headers::outside(name));
        }
        let range = range.map(GetRange::Bounded);
        let is_part = range.is_some();
        let found = match self.find(name, GetOptions { range, ..GetOptions::default() }).await {
            // S3 and the emulator refuse a range behind the end with codes of their own: the size decides.
            Err(_) if is_part && self.head(name).await?.is_some() => return Err(crate::headers::outside(name)),
            found => found?,
        };
        let Some(found) = found else { return Ok(None) };
        let (info, headers, range) =
            (info(name.clone(), &found.meta), headers_of(&found.attributes), found.range.clone());
        let of = name.clone();
        let content = found.into_stream().map_err(move |error| failed("read", &of, error)).boxed();
        Ok(Some(Blob { info, headers, range, content }))
    }

    async fn head(&self, name: &BlobName) -> PortResult<Option<(BlobInfo, BlobHeaders)>> {
        let found = self.find(name, GetOptions { head: true, ..GetOptions::default() }).await?;
        Ok(found.map(|found| (info(name.clone(), &found.meta), headers_of(&found.attributes))))
    }

    fn list(&self, folder: Option<&BlobName>) -> BoxStream<'static, PortResult<BlobInfo>> {
        let listed = self.store.list(folder.map(path).as_ref());
        let blobs = listed.filter_map(async |found| match found {
            // An object whose name is none of ours was not put here by this port.
            Ok(meta) => Some(Ok(info(meta.location.as_ref().parse().ok()?, &meta))),
            Err(error) => Some(Err(PortError::backend("could not list the blobs", error))),
        });
        blobs.boxed()
    }

    async fn delete(&self, name: &BlobName) -> PortResult<()> {
        match self.store.delete(&path(name)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete", name, error)),
        }
    }
}

fn path(name: &BlobName) -> Path {
    Path::from(name.as_str())
}

fn failed(what: &str, name: &BlobName, error: Error) -> PortError {
    PortError::backend(format!("could not {what} the blob {name}"), error)
}

fn tag(tag: Option<String>) -> BlobTag {
    BlobTag(tag.unwrap_or_default())
}

fn info(name: BlobName, meta: &ObjectMeta) -> BlobInfo {
    BlobInfo { name, size: meta.size, tag: tag(meta.e_tag.clone()) }
}

fn attributes(headers: &BlobHeaders) -> Attributes {
    let known = [
        (Attribute::ContentType, &headers.content_type),
        (Attribute::ContentEncoding, &headers.content_encoding),
        (Attribute::CacheControl, &headers.cache_control),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
}

fn headers_of(attributes: &Attributes) -> BlobHeaders {
    let read = |name| attributes.get(&name).map(|value| value.as_ref().to_owned());
    BlobHeaders {
        content_type: read(Attribute::ContentType),
        content_encoding: read(Attribute::ContentEncoding),
        cache_control: read(Attribute::CacheControl),
    }
}
