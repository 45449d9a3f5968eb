//! The format of a page's blob: a frame with a label, and the raw bytes compressed with zstd.
//!
//! The first frame is what zstd calls a skippable frame, with a JSON object in it. Every zstd tool skips it, so that
//! `zstd -dc` prints the page as the upstream sent it. It has what the page itself lacks: the page's own change id, and
//! when it was received. The frame of the page ends with a checksum.
//! <https://github.com/facebook/zstd/blob/dev/doc/zstd_compression_format.md>

use std::io::{self, Read, Write};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zstd::stream::read::Decoder;
use zstd::stream::write::{self, Encoder};

use crate::model::ChangeId;
use crate::store::Realm;

/// A level at which one core keeps up with the network: `docs/benchmarks.md` compares the others.
pub const LEVEL: i32 = 1;

/// The first of the sixteen magic numbers of skippable frames.
const SKIPPABLE: [u8; 4] = 0x184D_2A50_u32.to_le_bytes();

/// Bytes before the label: the magic number and the label's length.
const HEAD: usize = 8;

/// A label has some two hundred bytes.
const MAX_LABEL: usize = 64 * 1024;

/// Compressed bytes are collected up to this size before they are returned.
const FLUSH_SIZE: usize = 64 * 1024;

/// The label of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The version of the format: 1.
    pub version: u32,
    /// The realm of its river.
    pub realm: Realm,
    /// The change id of the request.
    pub id: ChangeId,
    /// When the head of the answer arrived.
    pub fetched_at: Timestamp,
}

impl Label {
    /// Returns the label of a newly received page.
    pub fn new(realm: Realm, id: ChangeId, fetched_at: Timestamp) -> Label {
        Label { version: 1, realm, id, fetched_at }
    }
}

/// Why a blob cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PageFileError {
    /// It does not begin with a label.
    #[error("the blob does not begin with a label of Stint: {0}")]
    NoLabel(String),
    /// The data after the label is damaged or incomplete.
    #[error("the blob is damaged: {0}")]
    Damaged(io::Error),
    /// The page is larger than the caller allows.
    #[error("the page is larger than {0} bytes")]
    TooLarge(usize),
}

/// Compresses a page while it streams, in constant memory.
pub struct Compressor {
    encoder: Encoder<'static, Vec<u8>>,
    raw: u64,
    compressed: u64,
}

impl Compressor {
    /// Returns a compressor of a blob that begins with `label`.
    pub fn new(label: &Label, level: i32) -> io::Result<Compressor> {
        let label = serde_json::to_vec(label)?;
        let length = u32::try_from(label.len()).map_err(io::Error::other)?;
        let mut begun = Vec::with_capacity(2 * FLUSH_SIZE);
        begun.extend(SKIPPABLE);
        begun.extend(length.to_le_bytes());
        begun.extend(label);
        let mut encoder = Encoder::new(begun, level)?;
        encoder.include_checksum(true)?;
        Ok(Compressor { encoder, raw: 0, compressed: 0 })
    }

    /// Takes a piece of the page. Returns the finished bytes of the blob, once there are enough of them.
    pub fn feed(&mut self, piece: &[u8]) -> io::Result<Option<Bytes>> {
        self.encoder.write_all(piece)?;
        self.raw += piece.len() as u64;
        if self.encoder.get_ref().len() < FLUSH_SIZE {
            return Ok(None);
        }
        let done = std::mem::replace(self.encoder.get_mut(), Vec::with_capacity(2 * FLUSH_SIZE));
        self.compressed += done.len() as u64;
        Ok(Some(Bytes::from(done)))
    }

    /// Returns the last bytes of the blob, and the sizes of page and blob.
    pub fn finish(self) -> io::Result<(Bytes, Sizes)> {
        let mut last = self.encoder.finish()?;
        // The bytes may be kept for a while, so unused capacity is freed.
        last.shrink_to_fit();
        let sizes = Sizes { raw: self.raw, stored: self.compressed + last.len() as u64 };
        Ok((Bytes::from(last), sizes))
    }
}

/// The sizes of a page in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// As the upstream sent it.
    pub raw: u64,
    /// As its blob.
    pub stored: u64,
}

/// Reads a whole blob: its label, and the page as the upstream sent it, of at most `max` bytes.
pub fn read(blob: &[u8], max: usize) -> Result<(Label, Vec<u8>), PageFileError> {
    let label = label(blob)?;
    let decoder = Decoder::with_buffer(blob).map_err(PageFileError::Damaged)?;
    let mut page = Vec::with_capacity(blob.len().saturating_mul(8).min(max));
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(limit).read_to_end(&mut page).map_err(PageFileError::Damaged)?;
    if page.len() > max { Err(PageFileError::TooLarge(max)) } else { Ok((label, page)) }
}

/// Reads a blob from its beginning to its end, in memory that does not grow with it, and compares the checksum of its
/// page. Returns its label.
pub fn verify(mut blob: impl Read) -> Result<Label, PageFileError> {
    let mut head = Vec::new();
    blob.by_ref().take(HEAD as u64).read_to_end(&mut head).map_err(PageFileError::Damaged)?;
    if let Some(length) = head.get(4..HEAD).and_then(|length| length.first_chunk()) {
        let length = (u32::from_le_bytes(*length) as usize).min(MAX_LABEL);
        blob.by_ref().take(length as u64).read_to_end(&mut head).map_err(PageFileError::Damaged)?;
    }
    let label = label(&head)?;
    let page = Decoder::new(blob).and_then(|mut decoder| io::copy(&mut decoder, &mut io::sink()));
    match page.map_err(PageFileError::Damaged)? {
        0 => Err(PageFileError::Damaged(io::ErrorKind::UnexpectedEof.into())),
        _ => Ok(label),
    }
}

/// Reads a blob piece by piece, as far as the caller needs it.
pub struct Decompressor(write::Decoder<'static, Vec<u8>>);

impl Decompressor {
    /// Returns a decompressor that has read nothing.
    pub fn new() -> io::Result<Decompressor> {
        Ok(Decompressor(write::Decoder::new(Vec::new())?))
    }

    /// Takes the next piece of a blob, and returns the bytes of the page in it.
    pub fn feed(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        self.0.write_all(piece)?;
        self.0.flush()?;
        Ok(std::mem::take(self.0.get_mut()))
    }
}

fn label(blob: &[u8]) -> Result<Label, PageFileError> {
    let missing = |reason: &str| PageFileError::NoLabel(reason.to_owned());
    let rest = blob.strip_prefix(&SKIPPABLE).ok_or_else(|| missing("another magic number"))?;
    let (length, rest) = rest.split_first_chunk().ok_or_else(|| missing("it ends within it"))?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_LABEL {
        return Err(missing("the label is too long"));
    }
    let label = rest.get(..length).ok_or_else(|| missing("it ends within it"))?;
    serde_json::from_slice(label).map_err(|error| PageFileError::NoLabel(error.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn label_of_today() -> Label {
        Label::new(Realm::Pc, "1-2-3-4-5".parse().unwrap(), "2026-11-28T10:00:00.123Z".parse().unwrap())
    }

    fn blob(page: &[u8], chunk: usize) -> (Vec<u8>, Sizes) {
        let mut compressor = Compressor::new(&label_of_today(), LEVEL).unwrap();
        let mut blob = Vec::new();
        for piece in page.chunks(chunk) {
            blob.extend(compressor.feed(piece).unwrap().into_iter().flatten());
        }
        let (last, sizes) = compressor.finish().unwrap();
        blob.extend(last);
        (blob, sizes)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn a_written_page_is_read_back(page in prop::collection::vec(any::<u8>(), 0..300_000), chunk in 1..100_000_usize) {
            let (blob, sizes) = blob(&page, chunk);
            prop_assert_eq!(sizes, Sizes { raw: page.len() as u64, stored: blob.len() as u64 });
            let (label, read) = read(&blob, page.len()).unwrap();
            prop_assert_eq!(label, label_of_today());
            prop_assert!(read == page);
        }
    }

    #[test]
    fn a_blob_is_read_piece_by_piece() {
        let page = b"a page of the river".repeat(20_000);
        let (blob, _) = blob(&page, 1_000);
        let mut decompressor = Decompressor::new().unwrap();
        let read: Vec<u8> = blob.chunks(7).flat_map(|piece| decompressor.feed(piece).unwrap()).collect();
        assert!(read == page);
        assert!(Decompressor::new().unwrap().feed(b"no blob").is_err());
    }

    #[test]
    fn other_readers_of_zstd_pass_over_the_label() {
        let (blob, _) = blob(b"{}", 1);
        assert_eq!(zstd::decode_all(&blob[..]).unwrap(), b"{}");
        assert_eq!(label(&blob).unwrap(), label_of_today());
    }

    #[test]
    fn a_damaged_blob_is_detected() {
        let page = b"a page of the river, a page of the river, a page of the river".repeat(20);
        let (whole, _) = blob(&page, 50);
        assert!(matches!(read(b"no blob", 100), Err(PageFileError::NoLabel(_))));
        assert!(matches!(read(&whole[..20], 100), Err(PageFileError::NoLabel(_))));
        assert!(matches!(read(&whole[..whole.len() - 1], 10_000), Err(PageFileError::Damaged(_))));
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert!(matches!(read(&flipped, 10_000), Err(PageFileError::Damaged(_))), "the checksum");
        assert!(matches!(read(&whole, page.len() - 1), Err(PageFileError::TooLarge(_))));
    }

    #[test]
    fn a_blob_is_verified_wherever_it_was_cut_or_changed() {
        let (whole, _) = blob(&b"a page of the river, ".repeat(20), 50);
        assert_eq!(verify(&whole[..]).unwrap(), label_of_today());
        for cut in 0..whole.len() {
            assert!(verify(&whole[..cut]).is_err(), "cut after {cut} bytes");
        }
        let beginning = HEAD + serde_json::to_vec(&label_of_today()).unwrap().len();
        for at in (0..4).chain(beginning..whole.len()) {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            // A bit of the frame's head may be of no meaning.
            let same = read(&changed, 10_000).is_ok_and(|(_, page)| page == b"a page of the river, ".repeat(20));
            assert_eq!(verify(&changed[..]).is_ok(), same, "byte {at}");
            assert!(!same || at < beginning + 6, "byte {at}");
        }
    }
}
