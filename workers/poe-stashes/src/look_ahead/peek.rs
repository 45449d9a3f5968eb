//! Finds the next change id in the first bytes of a body, however they are split into pieces.

use crate::model::ChangeId;

/// The most decoded bytes to inspect. A current id has 54 characters after a prefix of 19.
pub const PEEK: usize = 100;

/// The first bytes of a body: the upstream writes the id first, without spaces.
const PREFIX: &[u8] = br#"{"next_change_id":""#;

/// Inspects the first [`PEEK`] bytes of a body as they arrive.
#[derive(Clone, Debug)]
pub struct Peek {
    seen: [u8; PEEK],
    length: usize,
    found: Peeked,
}

/// The result so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peeked {
    /// More bytes are needed.
    NotYet,
    /// The id, complete with its closing quote. Without the quote it may be truncated, and a truncated id is a
    /// different position.
    Found(ChangeId),
    /// The body does not begin with an id; only the whole body can have it.
    NotFound,
}

impl Default for Peek {
    fn default() -> Peek {
        Peek { seen: [0; PEEK], length: 0, found: Peeked::NotYet }
    }
}

impl Peek {
    /// Inspects the next piece.
    pub fn feed(&mut self, piece: &[u8]) -> Peeked {
        if self.found == Peeked::NotYet {
            let taken = piece.len().min(PEEK - self.length);
            self.seen[self.length..self.length + taken].copy_from_slice(&piece[..taken]);
            self.length += taken;
            self.found = self.inspect();
        }
        self.found
    }

    /// The result so far.
    pub fn found(&self) -> Peeked {
        self.found
    }

    fn inspect(&self) -> Peeked {
        let seen = &self.seen[..self.length];
        let prefix = seen.len().min(PREFIX.len());
        if seen[..prefix] != PREFIX[..prefix] {
            return Peeked::NotFound;
        }
        let rest = &seen[prefix..];
        match rest.iter().position(|byte| *byte == b'"') {
            Some(end) => {
                let id = std::str::from_utf8(&rest[..end]).ok().and_then(|id| id.parse().ok());
                id.map_or(Peeked::NotFound, Peeked::Found)
            }
            None if self.length == PEEK => Peeked::NotFound,
            None => Peeked::NotYet,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "3278697332-3203624673-3129327201-3479175554-3367790506";

    fn body() -> String {
        format!(r#"{{"next_change_id":"{ID}","stashes":[{{"id":"ab","public":false}}]}}"#)
    }

    fn peek(pieces: &[&[u8]]) -> Peeked {
        let mut peek = Peek::default();
        pieces.iter().for_each(|piece| {
            peek.feed(piece);
        });
        peek.found()
    }

    #[test]
    fn an_id_is_found_whatever_the_cut() {
        let (body, id) = (body(), ID.parse().unwrap());
        for cut in 0..=body.len() {
            let (before, behind) = body.as_bytes().split_at(cut);
            assert_eq!(peek(&[before, behind]), Peeked::Found(id), "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
        assert_eq!(peek(&bytes), Peeked::Found(id));
    }

    #[test]
    fn an_id_without_its_closing_quote_is_not_used() {
        let body = body();
        let quote = PREFIX.len() + ID.len();
        for end in 0..=quote {
            assert_eq!(peek(&[&body.as_bytes()[..end]]), Peeked::NotYet, "the first {end} bytes");
        }
        assert_ne!(peek(&[&body.as_bytes()[..=quote]]), Peeked::NotYet);
    }

    #[test]
    fn other_beginnings_are_left_to_the_whole_body() {
        for body in [
            r#"{ "next_change_id":"1-2-3-4-5"}"#,
            r#"{"stashes":[],"next_change_id":"1-2-3-4-5"}"#,
            r#"{"next_change_id":null,"#,
            r#"{"next_change_id":"1-2-3-4","stashes":[]}"#,
            "<html>",
        ] {
            assert_eq!(peek(&[body.as_bytes()]), Peeked::NotFound, "{body}");
        }
        let endless = format!(r#"{{"next_change_id":"{}"#, "1".repeat(PEEK));
        assert_eq!(peek(&[endless.as_bytes()]), Peeked::NotFound);
        assert_eq!(peek(&[b""]), Peeked::NotYet);
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same(shards: [u64; 5], cuts in prop::collection::vec(0..200_usize, 0..12)) {
            let id = ChangeId::new(shards);
            let body = format!(r#"{{"next_change_id":"{id}","stashes":[]}}"#);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.sort_unstable();
            cuts.push(body.len());
            let mut begin = 0;
            let mut pieces = Vec::new();
            for cut in cuts {
                pieces.push(&body.as_bytes()[begin..cut]);
                begin = cut;
            }
            let fits = PREFIX.len() + id.to_string().len() < PEEK;
            prop_assert_eq!(peek(&pieces), if fits { Peeked::Found(id) } else { Peeked::NotFound });
        }
    }
}
