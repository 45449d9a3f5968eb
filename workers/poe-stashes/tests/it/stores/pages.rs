//! The contract of pages.

use bytes::Bytes;
use futures::TryStreamExt;
use stint_poe_stashes::model::ChangeId;
use stint_poe_stashes::store::{PageKey, Put, Realm};

use super::Backend;

fn key(number: u64) -> PageKey {
    PageKey { realm: Realm::Pc, id: ChangeId::new([number * 100_000, 2, 3, 4, 5]) }
}

async fn read(backend: &Backend, key: PageKey) -> Option<Vec<u8>> {
    let pieces: Vec<Bytes> = backend.pages.read(key).await.unwrap()?.try_collect().await.unwrap();
    Some(pieces.concat())
}

async fn write(backend: &Backend, key: PageKey, pieces: &[&[u8]]) -> Put {
    let mut upload = backend.pages.begin(key).await.unwrap();
    for piece in pieces {
        upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    upload.commit().await.unwrap()
}

pub(crate) async fn a_blob_is_seen_when_it_is_committed_and_not_before(backend: &Backend) {
    let mut upload = backend.pages.begin(key(1)).await.unwrap();
    upload.write(Bytes::from_static(b"ab")).await.unwrap();
    upload.write(Bytes::from_static(b"cd")).await.unwrap();
    assert_eq!(read(backend, key(1)).await, None);
    assert_eq!(upload.commit().await.unwrap(), Put::Stored);
    assert_eq!(read(backend, key(1)).await.unwrap(), b"abcd");
    assert_eq!(read(backend, key(2)).await, None);
}

pub(crate) async fn a_second_blob_of_the_name_changes_nothing(backend: &Backend) {
    assert_eq!(write(backend, key(1), &[b"first"]).await, Put::Stored);
    assert_eq!(write(backend, key(1), &[b"second"]).await, Put::AlreadyExists);
    let large = vec![7; super::s3::TWO_PARTS];
    assert_eq!(write(backend, key(1), &[&large, b"end"]).await, Put::AlreadyExists);
    assert_eq!(read(backend, key(1)).await.unwrap(), b"first");
}

pub(crate) async fn a_blob_of_many_parts_is_one_blob(backend: &Backend) {
    let pieces: Vec<Vec<u8>> = (0..9).map(|piece| vec![piece; super::s3::TWO_PARTS / 8]).collect();
    let borrowed: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
    assert_eq!(write(backend, key(1), &borrowed).await, Put::Stored);
    assert!(read(backend, key(1)).await.unwrap() == pieces.concat());
    assert_eq!(write(backend, key(1), &borrowed).await, Put::AlreadyExists);
}

pub(crate) async fn an_aborted_or_dropped_upload_leaves_nothing(backend: &Backend) {
    for (number, large) in [(1, false), (2, true)] {
        let size = if large { super::s3::TWO_PARTS } else { 10 };
        let mut upload = backend.pages.begin(key(number)).await.unwrap();
        upload.write(Bytes::from(vec![1; size])).await.unwrap();
        upload.abort().await;
        let mut upload = backend.pages.begin(key(number)).await.unwrap();
        upload.write(Bytes::from(vec![2; size])).await.unwrap();
        drop(upload);
        assert_eq!(read(backend, key(number)).await, None);
        assert_eq!(write(backend, key(number), &[b"whole"]).await, Put::Stored);
    }
}
