//! The port of blobs: whole objects by name, with the headers that a web server gives them.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use super::PortResult;

/// The longest name in bytes, and the longest part of one: the limits of S3 and of file systems.
const LONGEST_NAME: usize = 800;
const LONGEST_PART: usize = 200;

/// The name of a blob, or of a folder of blobs: parts between slashes, as in `2018/agdq_final/latest.json`.
///
/// A part consists of letters, digits and `-_.=+@,` and does not begin with a dot. So no name leaves its folder, and
/// each name means the same in a folder, in a bucket and in an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobName(String);

impl BlobName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BlobName {
    type Err = String;

    fn from_str(text: &str) -> Result<BlobName, String> {
        let refused = |reason: &str| Err(format!("'{}' is not the name of a blob: {reason}", text.escape_debug()));
        if text.is_empty() || text.len() > LONGEST_NAME {
            return refused("it has from 1 to 800 bytes");
        }
        for part in text.split('/') {
            if part.is_empty() || part.starts_with('.') {
                return refused("a part is empty or begins with a dot");
            }
            if part.len() > LONGEST_PART {
                return refused("a part has more than 200 bytes");
            }
            if !part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.=+@,".contains(&byte)) {
                return refused("it consists of letters, digits, '/' and '-_.=+@,'");
            }
        }
        Ok(BlobName(text.to_owned()))
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The headers of a blob.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobHeaders {
    /// `Content-Type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Content-Encoding`: how the bytes were compressed by the caller. They are stored and returned as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Cache-Control`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
}

impl BlobHeaders {
    /// Returns headers with a content type.
    pub fn of_type(content_type: impl Into<String>) -> BlobHeaders {
        BlobHeaders { content_type: Some(content_type.into()), ..BlobHeaders::default() }
    }

    /// Lets caches keep the blob for this long. There is no `Expires` beside it: a cache that knows `max-age` ignores
    /// `Expires`, and an instant would have to be written anew while the blob stays the same.
    #[must_use]
    pub fn expires_after(self, age: Duration) -> BlobHeaders {
        BlobHeaders { cache_control: Some(format!("max-age={}", age.as_secs())), ..self }
    }

    /// Says that the caller has compressed the bytes with gzip.
    #[must_use]
    pub fn gzipped(self) -> BlobHeaders {
        BlobHeaders { content_encoding: Some("gzip".to_owned()), ..self }
    }
}

/// Identifies the content of a blob. Compared, and never parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobTag(pub String);

/// The condition of a put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutIf {
    /// There is none: the blob is created or replaced.
    Always,
    /// There is no blob of that name.
    Absent,
    /// The blob is the one that was read with this tag.
    Unchanged(BlobTag),
}

/// The outcome of a put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobPut {
    /// The blob is stored, and has this tag.
    Stored(BlobTag),
    /// The condition does not hold. Nothing has changed.
    Refused,
}

/// What is known of a blob without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its name.
    pub name: BlobName,
    /// Its size in bytes.
    pub size: u64,
    /// Identifies its content.
    pub tag: BlobTag,
}

/// A blob that is being read.
pub struct Blob {
    /// Name, size of the whole, and tag.
    pub info: BlobInfo,
    /// The headers with which it was put.
    pub headers: BlobHeaders,
    /// The bytes that `content` returns.
    pub range: Range<u64>,
    /// The bytes, in pieces.
    pub content: BoxStream<'static, PortResult<Bytes>>,
}

/// Stores blobs. A reader sees a blob whole: its old bytes with its old headers, or the new ones with the new.
///
/// A store that is up to date with one caller is so with all: a put that has returned is seen by every later read. A
/// put is durable when it returns. If one fails, the blob may have been replaced; a conditional put that is repeated by
/// the adapter or the caller may then be refused because of its own first attempt, so the caller reads before it
/// concludes that another one wrote.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Stores a blob of up to a few megabytes, which is in memory as a whole. In a folder, a name cannot be both a blob
    /// and a folder of others; the put of the second one is invalid.
    async fn put(
        &self,
        name: &BlobName,
        content: Bytes,
        headers: &BlobHeaders,
        condition: PutIf,
    ) -> PortResult<BlobPut>;

    /// Returns a blob, or this part of it. `None` if there is none. A range that ends behind the blob is shortened; one
    /// that begins there, or is empty, is invalid.
    async fn get(&self, name: &BlobName, range: Option<Range<u64>>) -> PortResult<Option<Blob>>;

    /// Returns what is known of a blob, and its headers. `None` if there is none.
    async fn head(&self, name: &BlobName) -> PortResult<Option<(BlobInfo, BlobHeaders)>>;

    /// Returns the blobs in a folder and in the folders below it, in no order; all blobs without one. Blobs that are
    /// written meanwhile may be among them.
    fn list(&self, folder: Option<&BlobName>) -> BoxStream<'static, PortResult<BlobInfo>>;

    /// Deletes a blob. It is no error if there is none.
    async fn delete(&self, name: &BlobName) -> PortResult<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_folder() {
        for text in ["latest.json", "2018/agdq_final/latest.json", "pc/32786/1-2-3.json.zst", "a+b=c@d,e"] {
            assert_eq!(text.parse::<BlobName>().unwrap().as_str(), text);
        }
        let long = "a".repeat(201);
        for text in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            "..",
            "a/../b",
            ".",
            "a/.stint/b",
            "a\\b",
            "a b",
            "ü",
            "a%2e",
            "a\0",
            &long,
            "a?b",
            "C:",
        ] {
            let reason = text.parse::<BlobName>().unwrap_err();
            assert!(reason.contains("is not the name of a blob"), "{reason}");
        }
        assert!(["a"; 500].join("/").parse::<BlobName>().is_err());
    }

    #[test]
    fn headers_are_written_as_a_server_sends_them() {
        let headers = BlobHeaders::of_type("application/json").gzipped().expires_after(Duration::from_secs(600));
        assert_eq!(headers.content_type.as_deref(), Some("application/json"));
        assert_eq!(headers.content_encoding.as_deref(), Some("gzip"));
        assert_eq!(headers.cache_control.as_deref(), Some("max-age=600"));
    }
}
