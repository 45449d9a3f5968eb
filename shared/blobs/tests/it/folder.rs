//! A folder.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::executor::block_on;
use stint_blobs::FolderBlobs;
use stint_core::ports::{BlobHeaders, BlobName, Blobs, PortError, PortResult, PutIf};
use stint_testkit::BlobWorld;
use tempfile::TempDir;

struct FolderWorld(TempDir);

impl FolderWorld {
    fn new() -> FolderWorld {
        FolderWorld(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> FolderBlobs {
        FolderBlobs::open(self.0.path()).unwrap()
    }
}

#[async_trait]
impl BlobWorld for FolderWorld {
    async fn blobs(&self) -> PortResult<Arc<dyn Blobs>> {
        Ok(Arc::new(self.open()))
    }
}

/// File operations on threads, as in a host.
fn on_a_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test);
}

mod inline {
    stint_testkit::blobs_suite!(futures::executor::block_on, async { crate::folder::FolderWorld::new() });
}
mod threaded {
    stint_testkit::blobs_suite!(crate::folder::on_a_runtime, async { crate::folder::FolderWorld::new() });
}

fn put(blobs: &FolderBlobs, name: &str, content: &'static str, kind: &str) -> PortResult<()> {
    let name: BlobName = name.parse().unwrap();
    block_on(blobs.put(&name, Bytes::from(content), &BlobHeaders::of_type(kind), PutIf::Always)).map(drop)
}

fn kind(blobs: &FolderBlobs, name: &str) -> String {
    block_on(blobs.head(&name.parse().unwrap())).unwrap().unwrap().1.content_type.unwrap()
}

#[test]
fn a_file_from_elsewhere_has_the_headers_of_its_extension() {
    let world = FolderWorld::new();
    let blobs = world.open();
    put(&blobs, "a.json", "{}", "application/vnd.one").unwrap();
    assert_eq!(kind(&blobs, "a.json"), "application/vnd.one");
    // A copy is another file, as after a restore from a backup.
    let file = world.0.path().join("a.json");
    std::fs::copy(&file, world.0.path().join("copy")).unwrap();
    std::fs::rename(world.0.path().join("copy"), &file).unwrap();
    assert_eq!(kind(&blobs, "a.json"), "application/json");
    std::fs::write(world.0.path().join("plain"), "1").unwrap();
    assert_eq!(kind(&blobs, "plain"), "application/octet-stream");
}

/// The headers of the next content are written before it has its name.
#[test]
fn a_put_that_was_killed_between_headers_and_content_has_changed_nothing() {
    let world = FolderWorld::new();
    let blobs = world.open();
    put(&blobs, "a", "old", "old/old").unwrap();
    let headers = world.0.path().join(".stint/headers/a.json");
    let mut stored: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(&headers).unwrap()).unwrap();
    stored.push(serde_json::json!({ "tag": "\"next\"", "content_type": "new/new" }));
    std::fs::write(&headers, serde_json::to_vec(&stored).unwrap()).unwrap();
    std::fs::write(world.0.path().join(".stint/new"), "half of the n").unwrap();
    assert_eq!(kind(&world.open(), "a"), "old/old");
    put(&world.open(), "a", "new", "new/new").unwrap();
    assert_eq!(kind(&blobs, "a"), "new/new");
    let stored: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(&headers).unwrap()).unwrap();
    assert_eq!(stored.len(), 2, "those of the content before and of this one");
}

#[test]
fn damaged_headers_are_replaced_by_the_next_put() {
    let world = FolderWorld::new();
    let blobs = world.open();
    put(&blobs, "a.svg", "1", "one/one").unwrap();
    std::fs::write(world.0.path().join(".stint/headers/a.svg.json"), "{").unwrap();
    assert_eq!(kind(&blobs, "a.svg"), "image/svg+xml");
    put(&blobs, "a.svg", "2", "two/two").unwrap();
    assert_eq!(kind(&blobs, "a.svg"), "two/two");
}

#[test]
fn a_name_cannot_be_a_blob_and_a_folder() {
    let world = FolderWorld::new();
    let blobs = world.open();
    put(&blobs, "a/b", "1", "one/one").unwrap();
    for (name, content) in [("a", "2"), ("a/b/c", "3")] {
        let error = put(&blobs, name, content, "two/two").unwrap_err();
        assert!(matches!(error, PortError::Invalid(_)) && error.to_string().contains("folder"), "{error}");
    }
    assert_eq!(kind(&blobs, "a/b"), "one/one");
}
