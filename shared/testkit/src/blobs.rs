//! The conformance suite of blobs.

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::join_all;
use stint_core::ports::{Blob, BlobHeaders, BlobInfo, BlobName, BlobPut, BlobTag, Blobs, PortError, PortResult, PutIf};

use crate::world::BlobWorld;

/// The conformance tests of the port of blobs: `blobs_suite!(run, world)`, where `run` runs a future to its end and
/// `world` is a future of a [`crate::BlobWorld`].
#[macro_export]
macro_rules! blobs_suite {
    ($run:expr, $world:expr) => {
        $crate::expand_suite! {
            blobs, $run, $world,
            a_blob_is_read_as_it_was_put
            headers_belong_to_the_content
            a_blob_is_replaced_as_a_whole
            a_first_put_may_require_that_there_is_none
            a_replacement_may_require_what_was_read
            one_of_many_concurrent_replacements_succeeds
            a_part_is_read
            a_missing_blob_is_none
            a_deleted_blob_is_gone
            blobs_are_listed_by_folder
            a_reader_sees_one_blob_while_it_is_replaced
        }
    };
}

fn name(text: &str) -> PortResult<BlobName> {
    text.parse().map_err(PortError::Invalid)
}

fn json() -> BlobHeaders {
    BlobHeaders::of_type("application/json").expires_after(Duration::from_secs(60))
}

async fn put(blobs: &dyn Blobs, text: &str, content: &str) -> PortResult<BlobTag> {
    match blobs.put(&name(text)?, Bytes::copy_from_slice(content.as_bytes()), &json(), PutIf::Always).await? {
        BlobPut::Stored(tag) => Ok(tag),
        BlobPut::Refused => panic!("a put without a condition was refused"),
    }
}

async fn bytes(blob: Blob) -> PortResult<Vec<u8>> {
    let pieces: Vec<Bytes> = blob.content.try_collect().await?;
    Ok(pieces.concat())
}

async fn read(blobs: &dyn Blobs, text: &str) -> PortResult<Option<Vec<u8>>> {
    match blobs.get(&name(text)?, None).await? {
        Some(blob) => bytes(blob).await.map(Some),
        None => Ok(None),
    }
}

/// Through another handle, with its size and its tag. An empty blob is a blob.
pub async fn a_blob_is_read_as_it_was_put(world: &dyn BlobWorld) -> PortResult<()> {
    let (one, two) = (world.blobs().await?, world.blobs().await?);
    for content in ["", "{}", &"0123456789".repeat(70_000)] {
        let tag = put(&*one, "a/b.json", content).await?;
        let blob = two.get(&name("a/b.json")?, None).await?.expect("it was put");
        let size = content.len() as u64;
        assert_eq!(blob.info, BlobInfo { name: name("a/b.json")?, size, tag });
        assert_eq!(blob.range, 0..size);
        assert!(bytes(blob).await? == content.as_bytes());
    }
    Ok(())
}

/// Each put sets all of them; what it leaves out is not kept from the put before.
pub async fn headers_belong_to_the_content(world: &dyn BlobWorld) -> PortResult<()> {
    let (one, two, blob) = (world.blobs().await?, world.blobs().await?, name("a.json")?);
    let gzipped = json().gzipped();
    one.put(&blob, Bytes::from_static(b"z"), &gzipped, PutIf::Always).await?;
    assert_eq!(two.head(&blob).await?.expect("it was put").1, gzipped);
    assert_eq!(two.get(&blob, None).await?.expect("it was put").headers, gzipped);
    let plain = BlobHeaders::of_type("text/plain");
    one.put(&blob, Bytes::from_static(b"p"), &plain, PutIf::Always).await?;
    let (info, headers) = two.head(&blob).await?.expect("it was put");
    assert_eq!((info.size, headers), (1, plain));
    Ok(())
}

/// By a shorter one too. The tag changes.
pub async fn a_blob_is_replaced_as_a_whole(world: &dyn BlobWorld) -> PortResult<()> {
    let blobs = world.blobs().await?;
    let before = put(&*blobs, "a", "long content").await?;
    let after = put(&*blobs, "a", "short").await?;
    assert_ne!(before, after);
    assert_eq!(read(&*blobs, "a").await?.as_deref(), Some(&b"short"[..]));
    Ok(())
}

/// A second one is refused and changes nothing, headers included.
pub async fn a_first_put_may_require_that_there_is_none(world: &dyn BlobWorld) -> PortResult<()> {
    let (blobs, blob) = (world.blobs().await?, name("a")?);
    let first = blobs.put(&blob, Bytes::from_static(b"1"), &json(), PutIf::Absent).await?;
    assert!(matches!(first, BlobPut::Stored(_)));
    let plain = BlobHeaders::of_type("text/plain");
    assert_eq!(blobs.put(&blob, Bytes::from_static(b"2"), &plain, PutIf::Absent).await?, BlobPut::Refused);
    assert_eq!(read(&*blobs, "a").await?.as_deref(), Some(&b"1"[..]));
    assert_eq!(blobs.head(&blob).await?.expect("it was put").1, json());
    Ok(())
}

/// The tag of a put or of a read is accepted once; a missing blob has no tag.
pub async fn a_replacement_may_require_what_was_read(world: &dyn BlobWorld) -> PortResult<()> {
    let (blobs, blob) = (world.blobs().await?, name("a")?);
    let first = put(&*blobs, "a", "1").await?;
    let read_tag = blobs.head(&blob).await?.expect("it was put").0.tag;
    assert_eq!(read_tag, first);
    let replace = |tag: &BlobTag, content: &'static [u8]| {
        let (blobs, blob, tag) = (blobs.clone(), blob.clone(), tag.clone());
        async move { blobs.put(&blob, Bytes::from_static(content), &json(), PutIf::Unchanged(tag)).await }
    };
    let BlobPut::Stored(second) = replace(&first, b"22").await? else { panic!("the tag is current") };
    assert_eq!(replace(&first, b"333").await?, BlobPut::Refused);
    assert!(matches!(replace(&second, b"4444").await?, BlobPut::Stored(_)));
    assert_eq!(read(&*blobs, "a").await?.as_deref(), Some(&b"4444"[..]));
    blobs.delete(&blob).await?;
    assert_eq!(replace(&second, b"5").await?, BlobPut::Refused);
    assert_eq!(read(&*blobs, "a").await?, None);
    Ok(())
}

/// The writers read the same tag and replace at the same time, beginning with the first put.
pub async fn one_of_many_concurrent_replacements_succeeds(world: &dyn BlobWorld) -> PortResult<()> {
    let blob = name("a")?;
    let mut handles = Vec::new();
    for _ in 0..6 {
        handles.push(world.blobs().await?);
    }
    let mut condition = PutIf::Absent;
    for round in 0..3 {
        let puts = join_all(handles.iter().enumerate().map(async |(writer, blobs)| {
            let content = format!("{round}-{writer}");
            let put = blobs.put(&blob, content.clone().into(), &json(), condition.clone()).await?;
            Ok(match put {
                BlobPut::Stored(tag) => Some((content, tag)),
                BlobPut::Refused => None,
            })
        }));
        let stored: Vec<_> = puts.await.into_iter().collect::<PortResult<Vec<_>>>()?.into_iter().flatten().collect();
        let [(content, tag)] = stored.as_slice() else { panic!("{} puts succeeded in round {round}", stored.len()) };
        assert_eq!(read(&*handles[0], "a").await?.as_deref(), Some(content.as_bytes()));
        condition = PutIf::Unchanged(tag.clone());
    }
    Ok(())
}

/// A range that ends behind the blob is shortened; one that begins there, or is empty, is invalid.
pub async fn a_part_is_read(world: &dyn BlobWorld) -> PortResult<()> {
    let (blobs, blob) = (world.blobs().await?, name("a")?);
    put(&*blobs, "a", "0123456789").await?;
    for (range, expected) in [(0..4, "0123"), (4..10, "456789"), (9..10, "9"), (8..99, "89")] {
        let part = blobs.get(&blob, Some(range)).await?.expect("it was put");
        assert_eq!((part.info.size, part.range.end - part.range.start), (10, expected.len() as u64));
        assert_eq!(bytes(part).await?, expected.as_bytes());
    }
    for range in [10..11, 99..100, 5..5] {
        let refused = blobs.get(&blob, Some(range.clone())).await.map(|_| ());
        assert!(matches!(refused, Err(PortError::Invalid(_))), "{range:?}: {refused:?}");
    }
    Ok(())
}

/// Also in part, and where its name is a folder of others, or continues the name of another.
pub async fn a_missing_blob_is_none(world: &dyn BlobWorld) -> PortResult<()> {
    let blobs = world.blobs().await?;
    put(&*blobs, "a/b", "1").await?;
    for missing in ["b", "a", "a/b/c", "a/bb"] {
        assert_eq!(read(&*blobs, missing).await?, None, "{missing}");
        assert!(blobs.get(&name(missing)?, Some(0..1)).await?.is_none(), "{missing}");
        assert!(blobs.head(&name(missing)?).await?.is_none(), "{missing}");
        blobs.delete(&name(missing)?).await?;
    }
    assert_eq!(read(&*blobs, "a/b").await?.as_deref(), Some(&b"1"[..]));
    Ok(())
}

/// A second deletion does nothing. A blob of the same name may follow.
pub async fn a_deleted_blob_is_gone(world: &dyn BlobWorld) -> PortResult<()> {
    let blobs = world.blobs().await?;
    put(&*blobs, "a", "1").await?;
    blobs.delete(&name("a")?).await?;
    blobs.delete(&name("a")?).await?;
    assert_eq!(read(&*blobs, "a").await?, None);
    assert_eq!(blobs.list(None).try_collect::<Vec<_>>().await?, []);
    put(&*blobs, "a", "2").await?;
    assert_eq!(read(&*blobs, "a").await?.as_deref(), Some(&b"2"[..]));
    Ok(())
}

/// A folder is one by its whole name.
pub async fn blobs_are_listed_by_folder(world: &dyn BlobWorld) -> PortResult<()> {
    let blobs = world.blobs().await?;
    assert_eq!(blobs.list(None).try_collect::<Vec<_>>().await?, []);
    let mut expected = Vec::new();
    for blob in ["a/1", "a/b/2", "a/b/c/3", "ab/4", "top"] {
        let tag = put(&*blobs, blob, blob).await?;
        expected.push(BlobInfo { name: name(blob)?, size: blob.len() as u64, tag });
    }
    let listed = async |folder: Option<&str>| {
        let folder = folder.map(name).transpose()?;
        let mut listed: Vec<BlobInfo> = blobs.list(folder.as_ref()).try_collect().await?;
        listed.sort_by(|one, two| one.name.cmp(&two.name));
        PortResult::Ok(listed)
    };
    assert_eq!(listed(None).await?, expected);
    assert_eq!(listed(Some("a")).await?, expected[..3]);
    assert_eq!(listed(Some("a/b")).await?, expected[1..3]);
    assert_eq!(listed(Some("missing")).await?, []);
    Ok(())
}

/// Bytes and headers are of the same put, whatever is put meanwhile.
pub async fn a_reader_sees_one_blob_while_it_is_replaced(world: &dyn BlobWorld) -> PortResult<()> {
    let (writer, reader, blob) = (world.blobs().await?, world.blobs().await?, name("a")?);
    let versions = [("1", "one/one"), ("2", "two/two")];
    let content = |text: &str| text.repeat(300_000);
    let headers = |kind: &str| BlobHeaders::of_type(kind);
    writer.put(&blob, content("1").into(), &headers("one/one"), PutIf::Always).await?;
    let open = reader.get(&blob, None).await?.expect("it was put");
    let write = async {
        for (text, kind) in [versions[1], versions[0], versions[1]] {
            writer.put(&blob, content(text).into(), &headers(kind), PutIf::Always).await?;
        }
        PortResult::Ok(())
    };
    let check = async {
        for _ in 0..6 {
            let found = reader.get(&blob, None).await?.expect("it was put");
            let (text, kind) = if found.headers == headers("one/one") { versions[0] } else { versions[1] };
            assert_eq!(found.headers, headers(kind));
            assert!(bytes(found).await? == content(text).as_bytes());
        }
        PortResult::Ok(())
    };
    futures::try_join!(write, check)?;
    // A reader that began before the puts gets what it began with, or fails; it never gets a mixture.
    if let Ok(begun) = bytes(open).await {
        assert!(begun == content("1").as_bytes());
    }
    Ok(())
}
