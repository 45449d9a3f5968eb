//! Scans a body while it streams: whether it is complete, its next id, and its content in outline.

use memchr::memchr2;

use crate::model::ChangeId;

/// Every relevant key or id is shorter. A longer one is not stored at all, because the beginning of an id is a
/// different position.
const LONGEST_TEXT: usize = 128;

/// Tracks the outline of a JSON document in constant memory.
///
/// A connection that closes early is not always reported (without a length or a checksum, the end of the connection is
/// the end of the body). Here a body is complete only if its outermost brace is closed.
#[derive(Debug, Default)]
pub struct Scan {
    depth: u32,
    /// Whether the last byte was inside a string.
    in_text: bool,
    escaped: bool,
    /// The current string, if it is relevant.
    text: Option<Vec<u8>>,
    /// At the outermost level: whether a colon was read since the last comma.
    in_value: bool,
    field: Field,
    next: Option<ChangeId>,
    stashes: u64,
    ended: bool,
    broken: bool,
}

/// The current field of the outermost object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field {
    NextChangeId,
    Stashes,
    #[default]
    Other,
}

/// The outline of a complete body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document {
    /// The next change id.
    pub next: ChangeId,
    /// The number of stashes.
    pub stashes: u64,
}

/// Why a body is not a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// It ends before its outermost brace closes.
    #[error("the body is incomplete")]
    Cut,
    /// It is not one JSON object.
    #[error("the body is not a JSON object")]
    NoObject,
    /// It has no `next_change_id`, or an invalid one.
    #[error("the body has no valid next_change_id")]
    NoId,
}

impl Scan {
    /// Scans the next piece.
    pub fn feed(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            piece = if self.in_text { self.pass_text(piece) } else { self.pass_structure(piece) };
        }
    }

    /// Returns the outline of the body after its end.
    pub fn finish(&self) -> Result<Document, ScanError> {
        if self.broken {
            return Err(ScanError::NoObject);
        }
        if !self.ended {
            return Err(ScanError::Cut);
        }
        let next = self.next.ok_or(ScanError::NoId)?;
        Ok(Document { next, stashes: self.stashes })
    }

    /// The next change id, if it was read already.
    pub fn next(&self) -> Option<ChangeId> {
        self.next
    }

    /// The number of stashes so far.
    pub fn stashes(&self) -> u64 {
        self.stashes
    }

    fn pass_text<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        if std::mem::take(&mut self.escaped) {
            self.keep(&piece[..1]);
            return &piece[1..];
        }
        let Some(at) = memchr2(b'"', b'\\', piece) else {
            self.keep(piece);
            return &[];
        };
        self.keep(&piece[..at]);
        if piece[at] == b'\\' {
            self.escaped = true;
        } else {
            self.in_text = false;
            self.end_text();
        }
        &piece[at + 1..]
    }

    fn pass_structure<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        for (at, byte) in piece.iter().enumerate() {
            match byte {
                b'"' => {
                    self.in_text = true;
                    self.begin_text();
                    return &piece[at + 1..];
                }
                b'{' | b'[' => self.open(*byte),
                b'}' | b']' => self.close(),
                b':' if self.depth == 1 => self.in_value = true,
                b',' if self.depth == 1 => self.in_value = false,
                byte if self.depth == 0 && !byte.is_ascii_whitespace() => self.broken = true,
                _ => {}
            }
        }
        &[]
    }

    fn open(&mut self, byte: u8) {
        self.broken |= self.ended || (self.depth == 0 && byte != b'{');
        self.depth += 1;
        if self.depth == 3 && byte == b'{' && self.field == Field::Stashes {
            self.stashes += 1;
        }
    }

    fn close(&mut self) {
        self.broken |= self.depth == 0;
        self.depth = self.depth.saturating_sub(1);
        self.ended |= self.depth == 0;
    }

    fn begin_text(&mut self) {
        self.broken |= self.depth == 0;
        let matters = self.depth == 1 && (!self.in_value || self.field == Field::NextChangeId);
        self.text = matters.then(Vec::new);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if let Some(text) = &mut self.text {
            text.extend(bytes.iter().take(LONGEST_TEXT - text.len()));
        }
    }

    fn end_text(&mut self) {
        let Some(text) = self.text.take() else { return };
        if self.in_value {
            let id = std::str::from_utf8(&text).ok().filter(|text| text.len() < LONGEST_TEXT);
            self.next = id.and_then(|text| text.parse().ok());
            return;
        }
        self.field = match &text[..] {
            b"next_change_id" => Field::NextChangeId,
            b"stashes" => Field::Stashes,
            _ => Field::Other,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &str = r#"{"next_change_id":"1-2-3-4-5","stashes":[{"id":"ab","note":"\"}]}\\","items":[{"a":[{}]}]},{"id":"cd","items":[]}]}"#;

    fn scan(pieces: &[&[u8]]) -> Result<Document, ScanError> {
        let mut scan = Scan::default();
        pieces.iter().for_each(|piece| scan.feed(piece));
        scan.finish()
    }

    fn document() -> Document {
        Document { next: "1-2-3-4-5".parse().unwrap(), stashes: 2 }
    }

    #[test]
    fn a_body_that_is_cut_at_any_byte_is_detected() {
        for end in 0..BODY.len() {
            assert_eq!(scan(&[&BODY.as_bytes()[..end]]), Err(ScanError::Cut), "{}", &BODY[..end]);
        }
        assert_eq!(scan(&[BODY.as_bytes()]), Ok(document()));
        assert_eq!(scan(&[BODY.as_bytes(), b"\r\n"]), Ok(document()));
    }

    #[test]
    fn any_cut_gives_the_same() {
        for cut in 0..BODY.len() {
            let (before, behind) = BODY.as_bytes().split_at(cut);
            assert_eq!(scan(&[before, behind]), Ok(document()), "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = BODY.as_bytes().chunks(1).collect();
        assert_eq!(scan(&bytes), Ok(document()));
    }

    #[test]
    fn the_id_is_found_wherever_it_stands() {
        let late = br#" { "stashes" : [ ] , "x":{"next_change_id":"9-9-9-9-9"}, "next_change_id" : "1-2-3-4-5" } "#;
        assert_eq!(scan(&[late]), Ok(Document { stashes: 0, ..document() }));
    }

    #[test]
    fn an_invalid_page_is_an_error() {
        for body in ["[]", "<html></html>", "{}{}", "7", "\"a\"", "}"] {
            assert_eq!(scan(&[body.as_bytes()]), Err(ScanError::NoObject), "{body}");
        }
        for body in ["{}", r#"{"error":{"code":8}}"#, r#"{"next_change_id":"1-2-3-4"}"#, r#"{"next_change_id":null}"#] {
            assert_eq!(scan(&[body.as_bytes()]), Err(ScanError::NoId), "{body}");
        }
    }

    #[test]
    fn the_beginning_of_an_id_that_is_too_long_is_not_taken_for_it() {
        for zeros in 0..200 {
            let body = format!(r#"{{"next_change_id":"1-2-3-4-{}5","stashes":[]}}"#, "0".repeat(zeros));
            let read = scan(&[body.as_bytes()]);
            let whole = Ok(Document { stashes: 0, ..document() });
            assert!(read == whole || read == Err(ScanError::NoId), "{read:?} of {body}");
        }
    }

    proptest! {
        #[test]
        fn texts_of_any_kind_do_not_mislead(texts in prop::collection::vec(".*", 0..20), chunk in 1..50_usize) {
            let stashes: Vec<_> = texts.iter().map(|text| serde_json::json!({ "id": text, "items": [{ "note": text }] })).collect();
            let body = format!(r#"{{"next_change_id":"1-2-3-4-5","stashes":{}}}"#, serde_json::json!(stashes));
            let pieces: Vec<&[u8]> = body.as_bytes().chunks(chunk).collect();
            prop_assert_eq!(scan(&pieces), Ok(Document { stashes: texts.len() as u64, ..document() }));
        }
    }
}
