//! Finds the next change id in a streamed body: the result does not depend on how the body is split into pieces.

use stint_poe_stashes::look_ahead::{Peek, Peeked, Scan, ScanError};
use stint_poe_stashes::model::page::Page;

use crate::upstream::first;

pub(crate) fn run(input: &[u8]) {
    let (size, body) = first(input);
    let pieces: Vec<&[u8]> = body.chunks(usize::from(size) + 1).collect();
    let whole = scan(&[body]).finish();
    assert_eq!(scan(&pieces).finish(), whole, "in pieces of {}", usize::from(size) + 1);
    let peeked = peek(&[body]);
    assert_eq!(peek(&pieces), peeked);
    if let (Ok(document), Some(end)) = (whole, body.iter().rposition(|byte| *byte == b'}')) {
        assert_eq!(scan(&[&body[..end]]).finish(), Err(ScanError::Cut), "a body without its last brace is cut");
        // A body that is not a valid page may contain two ids. That disagreement is compared elsewhere.
        if let (Peeked::Found(id), Ok(_)) = (peeked, Page::read(body)) {
            assert_eq!(id, document.next, "the first bytes and the whole");
        }
    }
}

fn scan(pieces: &[&[u8]]) -> Scan {
    let mut scan = Scan::default();
    pieces.iter().for_each(|piece| scan.feed(piece));
    scan
}

fn peek(pieces: &[&[u8]]) -> Peeked {
    let mut peek = Peek::default();
    for piece in pieces {
        peek.feed(piece);
    }
    peek.found()
}
