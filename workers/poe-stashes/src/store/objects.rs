//! Blobs in a folder, in S3, or in memory, with the crate `object_store`.

use std::path::Path as FilePath;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    Error, GetOptions, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, PutPayloadMut,
};
use stint_core::ports::{PortError, PortResult};

use super::{PageKey, PageStream, Pages, Put, Upload};

/// A blob of up to this size is put in one request. A larger one is uploaded in parts of this size: S3 accepts none
/// below 5 MiB. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const PART: usize = 8 * 1024 * 1024;

/// The folder of uploads that are too large for one request. Objects that a crash leaves here may be deleted after a
/// day.
const UPLOADS: &str = "uploads";

/// A store of blobs. Clones share it.
#[derive(Clone, Debug)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    part: usize,
}

impl Objects {
    /// Opens the folder `folder`, and creates it if needed. Stored blobs survive a power cut.
    pub fn in_folder(folder: &FilePath) -> PortResult<Objects> {
        let failed = |error| PortError::backend(format!("could not use the folder {}", folder.display()), error);
        std::fs::create_dir_all(folder)
            .map_err(|error| failed(Error::Generic { store: "folder", source: error.into() }))?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(failed)?.with_fsync(true);
        Ok(Objects::new(Arc::new(store)))
    }

    /// Returns a store in memory, which is dropped with its last clone.
    pub fn in_memory() -> Objects {
        Objects::new(Arc::new(InMemory::new()))
    }

    pub(super) fn new(store: Arc<dyn ObjectStore>) -> Objects {
        Objects { store, part: PART }
    }

    /// Sets another part size, so that tests do not need blobs of megabytes.
    #[must_use]
    pub fn with_part(mut self, part: usize) -> Objects {
        self.part = part;
        self
    }

    pub(super) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }
}

pub(super) fn failed(what: &str, path: &Path, error: Error) -> PortError {
    PortError::backend(format!("could not {what} the blob {path}"), error)
}

fn create() -> PutOptions {
    PutOptions::from(PutMode::Create)
}

#[async_trait]
impl Pages for Objects {
    async fn begin(&self, key: PageKey) -> PortResult<Box<dyn Upload>> {
        let path = Path::from(key.to_string());
        Ok(Box::new(ObjectUpload { objects: self.clone(), path, gathered: PutPayloadMut::new(), parts_upload: None }))
    }

    async fn read(&self, key: PageKey) -> PortResult<Option<PageStream>> {
        let path = Path::from(key.to_string());
        match self.store.get_opts(&path, GetOptions::default()).await {
            Ok(found) => {
                let pieces = found.into_stream().map_err(move |error| failed("read", &path, error));
                Ok(Some(pieces.boxed()))
            }
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("read", &path, error)),
        }
    }
}

/// A blob in progress. A small one is collected in memory and put at once; a large one is uploaded in parts.
struct ObjectUpload {
    objects: Objects,
    path: Path,
    gathered: PutPayloadMut,
    parts_upload: Option<PartsUpload>,
}

/// An upload in parts, under a temporary name.
struct PartsUpload {
    path: Path,
    parts: Box<dyn MultipartUpload>,
}

impl ObjectUpload {
    fn failed(&self, error: Error) -> PortError {
        failed("write", &self.path, error)
    }

    async fn send_part(&mut self) -> Result<(), Error> {
        if self.parts_upload.is_none() {
            let path = temporary_path()?;
            let parts = self.objects.store.put_multipart(&path).await?;
            self.parts_upload = Some(PartsUpload { path, parts });
        }
        let part: PutPayload = std::mem::take(&mut self.gathered).freeze();
        match &mut self.parts_upload {
            Some(parts_upload) => parts_upload.parts.put_part(part).await,
            None => Ok(()),
        }
    }

    /// Gives a completed upload its final name, if the name is free.
    async fn publish(store: &dyn ObjectStore, mut parts_upload: PartsUpload, path: &Path) -> Result<(), Error> {
        parts_upload.parts.complete().await?;
        let copied = store.copy_if_not_exists(&parts_upload.path, path).await;
        if let Err(error) = store.delete(&parts_upload.path).await {
            tracing::warn!(path = %parts_upload.path, %error, "could not delete a completed upload: {error}");
        }
        copied
    }
}

/// Returns a unique temporary name.
fn temporary_path() -> Result<Path, Error> {
    let random =
        getrandom::u64().map_err(|error| Error::Generic { store: "uploads", source: error.to_string().into() })?;
    Ok(Path::from(format!("{UPLOADS}/{random:016x}")))
}

#[async_trait]
impl Upload for ObjectUpload {
    async fn write(&mut self, bytes: Bytes) -> PortResult<()> {
        self.gathered.push(bytes);
        if self.gathered.content_length() < self.objects.part {
            return Ok(());
        }
        self.send_part().await.map_err(|error| self.failed(error))
    }

    async fn commit(mut self: Box<Self>) -> PortResult<Put> {
        let done = match self.parts_upload.is_some() && !self.gathered.is_empty() {
            true => self.send_part().await,
            false => Ok(()),
        };
        let done = match (done, self.parts_upload.take()) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(parts_upload)) => ObjectUpload::publish(&*self.objects.store, parts_upload, &self.path).await,
            (Ok(()), None) => {
                let payload = std::mem::take(&mut self.gathered).freeze();
                self.objects.store.put_opts(&self.path, payload, create()).await.map(drop)
            }
        };
        match done {
            Ok(()) => Ok(Put::Stored),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Put::AlreadyExists),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn abort(mut self: Box<Self>) {
        let Some(mut parts_upload) = self.parts_upload.take() else { return };
        if let Err(error) = parts_upload.parts.abort().await {
            tracing::warn!(path = %parts_upload.path, %error, "could not abort an upload: {error}");
        }
    }
}
