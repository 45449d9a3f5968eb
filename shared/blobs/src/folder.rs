//! Blobs in a folder: each is a file of its name, which a web server can serve as it is, and its headers are a file
//! of the same name below `.stint/headers`.
//!
//! # What may happen between any two lines of a put
//! * *The process exits while it writes the new file:* that lies below `.stint` under a temporary name, which the next
//!   put deletes. Readers see the old blob.
//! * *It exits after the headers are written, before the new file has its name:* the file of headers has those of the
//!   old content and of the new one, each with its tag. Readers see the old blob with its old headers.
//! * *It exits after that:* readers see the new blob with its new headers.
//! * *Two processes put the same blob:* a lock on a file lets one after the other look at the condition and replace.

use std::fs::{File, Metadata, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use stint_core::ports::{Blob, BlobHeaders, BlobInfo, BlobName, BlobPut, BlobTag, Blobs, PortError, PortResult, PutIf};
use tokio::runtime::Handle;

use crate::headers::{by_extension, outside};

/// The folder of this adapter's own files. No blob's name begins with a dot.
const OWN: &str = ".stint";

/// The size of the pieces in which a blob is read.
const PIECE: usize = 256 * 1024;

/// Blobs in a folder. Clones share it, and so may other processes on this machine.
#[derive(Clone, Debug)]
pub struct FolderBlobs {
    folder: Arc<PathBuf>,
}

/// The headers of the content with this tag.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct TaggedHeaders {
    tag: String,
    #[serde(flatten)]
    headers: BlobHeaders,
}

impl FolderBlobs {
    /// Opens a folder, and creates it if needed.
    pub fn open(folder: &Path) -> PortResult<FolderBlobs> {
        let blobs = FolderBlobs { folder: Arc::new(folder.to_owned()) };
        let created = std::fs::create_dir_all(blobs.own("headers")).and_then(|()| blobs.lock_file().map(drop));
        created.map_err(|error| PortError::backend(format!("could not use the folder {}", folder.display()), error))?;
        Ok(blobs)
    }

    fn own(&self, name: &str) -> PathBuf {
        self.folder.join(OWN).join(name)
    }

    fn file(&self, name: &BlobName) -> PathBuf {
        self.folder.join(name.as_str())
    }

    fn headers_file(&self, name: &BlobName) -> PathBuf {
        self.own("headers").join(format!("{name}.json"))
    }

    fn lock_file(&self) -> io::Result<File> {
        File::options().create(true).truncate(false).write(true).open(self.own("lock"))
    }

    /// Waits for the lock, which ends with the returned file.
    fn lock(&self) -> io::Result<File> {
        let file = self.lock_file()?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => file.lock()?,
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(file)
    }

    fn stored_headers(&self, name: &BlobName) -> io::Result<Vec<TaggedHeaders>> {
        match std::fs::read(self.headers_file(name)) {
            // A damaged file of headers is replaced by the next put, and costs nothing else.
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(error) if is_absent(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Returns the file of a blob and what is known of it.
    ///
    /// The headers of older contents are dropped, so if the blob is replaced twice between the two reads of this, it is
    /// opened again. A file that was copied here, or restored from a backup, has the headers of its extension.
    fn open_blob(&self, name: &BlobName) -> io::Result<Option<(File, BlobInfo, BlobHeaders)>> {
        loop {
            let file = match File::open(self.file(name)) {
                Ok(file) => file,
                Err(error) if is_absent(&error) => return Ok(None),
                Err(error) => return Err(error),
            };
            let found = file.metadata()?;
            if !found.is_file() {
                return Ok(None);
            }
            let info = BlobInfo { name: name.clone(), size: found.len(), tag: tag(&found) };
            let stored = self.stored_headers(name)?.into_iter().find(|stored| stored.tag == info.tag.0);
            if let Some(TaggedHeaders { headers, .. }) = stored {
                return Ok(Some((file, info, headers)));
            }
            if std::fs::metadata(self.file(name)).is_ok_and(|current| tag(&current) == info.tag) {
                return Ok(Some((file, info, by_extension(name))));
            }
        }
    }

    fn put_now(
        &self,
        name: &BlobName,
        content: &[u8],
        headers: &BlobHeaders,
        condition: &PutIf,
    ) -> io::Result<BlobPut> {
        let _lock = self.lock()?;
        let path = self.file(name);
        let found = match std::fs::metadata(&path) {
            Ok(found) if found.is_dir() => return Err(io::Error::from(io::ErrorKind::IsADirectory)),
            Ok(found) => Some(found),
            Err(error) if is_absent(&error) => None,
            Err(error) => return Err(error),
        };
        let current = found.as_ref().map(tag);
        let holds = match condition {
            PutIf::Always => true,
            PutIf::Absent => current.is_none(),
            PutIf::Unchanged(tag) => current.as_ref() == Some(tag),
        };
        if !holds {
            return Ok(BlobPut::Refused);
        }
        // One name is enough, because the lock is held; what a killed process left there is overwritten.
        let temporary = self.own("new");
        let new = write_durably(&temporary, content, found.as_ref())?;
        let mut stored = self.stored_headers(name)?;
        stored.retain(|stored| current.as_ref().is_some_and(|current| stored.tag == current.0));
        stored.push(TaggedHeaders { tag: new.0.clone(), headers: headers.clone() });
        let temporary_headers = self.own("new-headers");
        write_durably(&temporary_headers, &serde_json::to_vec(&stored)?, None)?;
        rename_durably(&temporary_headers, &self.headers_file(name))?;
        rename_durably(&temporary, &path)?;
        Ok(BlobPut::Stored(new))
    }

    fn delete_now(&self, name: &BlobName) -> io::Result<()> {
        let _lock = self.lock()?;
        // The content first: headers without content are never read.
        for path in [self.file(name), self.headers_file(name)] {
            match std::fs::remove_file(&path) {
                Err(error) if is_absent(&error) || path.is_dir() => {}
                removed => removed?,
            }
        }
        Ok(())
    }

    fn list_now(&self, folder: Option<&BlobName>) -> io::Result<Vec<BlobInfo>> {
        let mut found = Vec::new();
        let mut folders = vec![folder.map_or_else(|| (*self.folder).clone(), |folder| self.file(folder))];
        while let Some(folder) = folders.pop() {
            let entries = match std::fs::read_dir(&folder) {
                Err(error) if is_absent(&error) => continue,
                entries => entries?,
            };
            for entry in entries {
                let path = entry?.path();
                let name = path.strip_prefix(&*self.folder).ok().and_then(Path::to_str).unwrap_or_default();
                // A file of another name was not put here by this port.
                let Ok(name) = name.parse::<BlobName>() else { continue };
                match std::fs::metadata(&path) {
                    Ok(data) if data.is_dir() => folders.push(path),
                    Ok(data) => found.push(BlobInfo { name, size: data.len(), tag: tag(&data) }),
                    Err(error) if is_absent(&error) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(found)
    }
}

#[async_trait]
impl Blobs for FolderBlobs {
    async fn put(
        &self,
        name: &BlobName,
        content: Bytes,
        headers: &BlobHeaders,
        condition: PutIf,
    ) -> PortResult<BlobPut> {
        let (blobs, of, headers) = (self.clone(), name.clone(), headers.clone());
        blocking(move || blobs.put_now(&of, &content, &headers, &condition))
            .await
            .map_err(|error| failed("write", name, error))
    }

    async fn get(&self, name: &BlobName, range: Option<Range<u64>>) -> PortResult<Option<Blob>> {
        let (blobs, of) = (self.clone(), name.clone());
        let found = blocking(move || blobs.open_blob(&of)).await.map_err(|error| failed("read", name, error))?;
        let Some((file, info, headers)) = found else { return Ok(None) };
        let range = match range {
            None => 0..info.size,
            Some(range) if range.is_empty() || range.start >= info.size => return Err(outside(name)),
            Some(range) => range.start..range.end.min(info.size),
        };
        let content = read(file, name.clone(), range.clone());
        Ok(Some(Blob { info, headers, range, content }))
    }

    async fn head(&self, name: &BlobName) -> PortResult<Option<(BlobInfo, BlobHeaders)>> {
        let (blobs, of) = (self.clone(), name.clone());
        let found = blocking(move || blobs.open_blob(&of)).await.map_err(|error| failed("read", name, error))?;
        Ok(found.map(|(_, info, headers)| (info, headers)))
    }

    fn list(&self, folder: Option<&BlobName>) -> BoxStream<'static, PortResult<BlobInfo>> {
        let (blobs, folder) = (self.clone(), folder.cloned());
        let listed = async move {
            let listed = blocking(move || blobs.list_now(folder.as_ref())).await;
            let listed = listed.map_err(|error| PortError::backend("could not list the blobs", error))?;
            Ok(stream::iter(listed.into_iter().map(Ok)))
        };
        stream::once(listed).try_flatten().boxed()
    }

    async fn delete(&self, name: &BlobName) -> PortResult<()> {
        let (blobs, of) = (self.clone(), name.clone());
        blocking(move || blobs.delete_now(&of)).await.map_err(|error| failed("delete", name, error))
    }
}

/// Returns the bytes of an open file in pieces. A blob that is replaced meanwhile is read to its end all the same.
fn read(file: File, name: BlobName, range: Range<u64>) -> BoxStream<'static, PortResult<Bytes>> {
    let pieces = stream::try_unfold((Arc::new(file), range), move |(file, range)| {
        let name = name.clone();
        async move {
            if range.is_empty() {
                return Ok(None);
            }
            let length = (range.end - range.start).min(PIECE as u64);
            let (from, start) = (file.clone(), range.start);
            let piece = blocking(move || read_piece(&from, start, length as usize)).await;
            let piece = piece.map_err(|error| failed("read", &name, error))?;
            Ok(Some((piece, (file, range.start + length..range.end))))
        }
    });
    pieces.boxed()
}

fn read_piece(mut file: &File, start: u64, length: usize) -> io::Result<Bytes> {
    let mut piece = vec![0; length];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut piece)?;
    Ok(piece.into())
}

/// Identifies the content of a file by inode, time and size.
fn tag(file: &Metadata) -> BlobTag {
    BlobTag(format!("\"{:x}-{:x}.{:x}-{:x}\"", file.ino(), file.mtime(), file.mtime_nsec(), file.len()))
}

/// Writes a file that will replace `previous`. Its time is later than that one's, because a system may use an inode
/// again within one tick of the times of files, and the tags would be equal.
fn write_durably(path: &Path, content: &[u8], previous: Option<&Metadata>) -> io::Result<BlobTag> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    if let Some(previous) = previous {
        let earliest = previous.modified()? + Duration::from_nanos(1);
        if file.metadata()?.modified()? < earliest {
            file.set_modified(earliest)?;
        }
    }
    file.sync_all()?;
    Ok(tag(&file.metadata()?))
}

/// Gives a file its final name, and creates the folders above it.
fn rename_durably(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(to);
    std::fs::create_dir_all(folder)?;
    std::fs::rename(from, to)?;
    File::open(folder)?.sync_all()
}

/// Whether a path names no file, also because a part of it is a file and not a folder.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Runs file operations on a thread for them, or here if there is no runtime, as on virtual time.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    match Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(work).await.map_err(io::Error::other)?,
        Err(_) => work(),
    }
}

fn failed(what: &str, name: &BlobName, error: io::Error) -> PortError {
    let is_folder = [io::ErrorKind::IsADirectory, io::ErrorKind::NotADirectory, io::ErrorKind::AlreadyExists];
    if is_folder.contains(&error.kind()) {
        return PortError::Invalid(format!("could not {what} the blob {name}: its name is also that of a folder"));
    }
    PortError::backend(format!("could not {what} the blob {name}"), error)
}
