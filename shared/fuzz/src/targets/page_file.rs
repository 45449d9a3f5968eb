//! The blob of a page: any page survives a round trip, and any blob is decoded or refused within its memory limit.

use stint_poe_stashes::model::ChangeId;
use stint_poe_stashes::page_file::{Compressor, Decompressor, LEVEL, Label, read, verify};
use stint_poe_stashes::store::Realm;

/// The largest page that is read here.
const MAX: usize = 1 << 20;

pub(crate) fn run(input: &[u8]) {
    let verified = verify(input);
    if let Ok((label, page)) = read(input, MAX) {
        assert!(page.len() <= MAX);
        assert!(verified.is_ok_and(|verified| verified == label) || page.is_empty(), "a check of one blob");
        assert!(pieces(input).is_none_or(|streamed| streamed == page), "two readers of one blob");
    }
    let label = Label::new(Realm::Pc, ChangeId::new([1, 2, 3, 4, 5]), jiff::Timestamp::UNIX_EPOCH);
    let mut compressor = Compressor::new(&label, LEVEL).expect("a compressor");
    let mut blob = Vec::new();
    for piece in input.chunks(100) {
        blob.extend(compressor.feed(piece).expect("any bytes can be compressed").into_iter().flatten());
    }
    let (last, sizes) = compressor.finish().expect("any bytes can be compressed");
    blob.extend(last);
    assert_eq!((sizes.raw, sizes.stored), (input.len() as u64, blob.len() as u64));
    let (read_label, page) = read(&blob, input.len()).expect("what was written can be read");
    assert!(read_label == label && page == input);
}

/// Returns the page of a blob that is decoded in pieces; `None` if a piece is invalid.
fn pieces(blob: &[u8]) -> Option<Vec<u8>> {
    let mut decompressor = Decompressor::new().ok()?;
    let mut page = Vec::new();
    for piece in blob.chunks(7) {
        page.extend(decompressor.feed(piece).ok()?);
    }
    Some(page)
}
