//! A pack as it comes: what its objects unpack to, before libgit2 makes room for them.
//! <https://git-scm.com/docs/pack-format>

use std::io;
use std::sync::Arc;

use flate2::{Decompress, FlushDecompress, Status};

use super::session::Session;

/// The magic, the version, and how many objects there are.
const HEADER: usize = 12;

/// The checksum at the end.
const TRAILER: usize = 20;

/// The id of a base.
const ID: usize = 20;

/// A number of the format has no more digits: 64 bits, seven in each.
const DIGITS: usize = 10;

/// So much is unpacked at a time.
const PIECE: usize = 1 << 16;

/// No object is larger that has to be in memory as a whole: a commit, a tree, a delta with its base and its result. A blob
/// that is no delta goes to the disk in pieces. Git makes deltas of files up to twice as large, and hosts refuse files of
/// less than half of it.
const MAX_WHOLE: u64 = 256 << 20;

/// The kinds of object, by their number in the format.
const BLOB: u8 = 3;
const DELTA_BY_OFFSET: u8 = 6;
const DELTA_BY_ID: u8 = 7;

/// Follows a pack.
pub(super) struct Pack {
    session: Arc<Session>,
    part: Part,
    /// What was read of a part that is only of use as a whole.
    gathered: Vec<u8>,
    /// How many objects are still to begin.
    objects: u32,
    inflate: Decompress,
    /// Where objects are unpacked to, piece by piece.
    piece: Vec<u8>,
}

/// What the next byte belongs to.
#[derive(Clone, Copy)]
enum Part {
    Header,
    /// An object's kind and size.
    Entry,
    /// The distance to the base of a delta of this size.
    Offset(u64),
    /// The id of the base of a delta of this size.
    Id(u64),
    /// An object's content, of which so many bytes are still to be unpacked.
    Content(Content, u64),
    Trailer,
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// A delta's own head is not read yet: the sizes of its base and of its result.
    DeltaHead,
    Other,
}

/// Reads a part that is whole.
type Done = fn(&mut Pack, &[u8]) -> io::Result<()>;

impl Pack {
    /// Begins a pack.
    pub(super) const MAGIC: &[u8] = b"PACK";

    /// One that is to come. What it unpacks to counts in `session`.
    pub(super) fn new(session: Arc<Session>) -> Pack {
        let (inflate, piece) = (Decompress::new(true), vec![0; PIECE]);
        Pack { session, part: Part::Header, gathered: Vec::new(), objects: 0, inflate, piece }
    }

    /// Follows the next bytes. An error says what is wrong with them, or which limit they are beyond.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            bytes = match self.part {
                Part::Header => self.gather(bytes, HEADER, Pack::begin)?,
                Part::Entry => self.digits(bytes, Pack::enter)?,
                Part::Offset(_) => self.digits(bytes, Pack::enter_delta)?,
                Part::Id(_) => self.gather(bytes, ID, Pack::enter_delta)?,
                Part::Content(content, left) => self.unpack(bytes, content, left)?,
                Part::Trailer => self.gather(bytes, TRAILER, |pack, _| {
                    pack.part = Part::End;
                    Ok(())
                })?,
                Part::End => return Err(io::Error::other("it sends more than the pack that it was asked for")),
            };
        }
        Ok(())
    }

    /// Reads on to the end of a part of this length. Returns what follows.
    fn gather<'a>(&mut self, bytes: &'a [u8], length: usize, done: Done) -> io::Result<&'a [u8]> {
        let (more, rest) = bytes.split_at(bytes.len().min(length - self.gathered.len()));
        self.gathered.extend_from_slice(more);
        if self.gathered.len() == length {
            let whole = std::mem::take(&mut self.gathered);
            done(self, &whole)?;
        }
        Ok(rest)
    }

    /// Reads on to the end of a number, whose last byte is the first one below 128. Returns what follows.
    fn digits<'a>(&mut self, bytes: &'a [u8], done: Done) -> io::Result<&'a [u8]> {
        let end = bytes.iter().position(|byte| byte & 0x80 == 0).map(|last| last + 1);
        let length = self.gathered.len() + end.unwrap_or(bytes.len());
        if length > DIGITS {
            return Err(damaged("a number of it is too long"));
        }
        self.gather(bytes, if end.is_some() { length } else { DIGITS + 1 }, done)
    }

    fn begin(&mut self, header: &[u8]) -> io::Result<()> {
        match header.last_chunk() {
            Some(objects) if header.starts_with(Pack::MAGIC) => {
                self.objects = u32::from_be_bytes(*objects);
                self.go_on();
                Ok(())
            }
            _ => Err(damaged("it does not begin like one")),
        }
    }

    /// Goes on to the next object, or to the end.
    fn go_on(&mut self) {
        self.part = if self.objects == 0 { Part::Trailer } else { Part::Entry };
        self.objects = self.objects.saturating_sub(1);
        self.inflate.reset(true);
    }

    fn enter(&mut self, entry: &[u8]) -> io::Result<()> {
        let (kind, size) = (entry.first().map_or(0, |first| first >> 4 & 7), number(entry, 4));
        if kind != BLOB {
            check_whole(size)?;
        }
        self.part = match kind {
            1..=4 => Part::Content(Content::Other, size),
            DELTA_BY_OFFSET => Part::Offset(size),
            DELTA_BY_ID => Part::Id(size),
            _ => return Err(damaged("an object of it is of no kind")),
        };
        Ok(())
    }

    fn enter_delta(&mut self, _base: &[u8]) -> io::Result<()> {
        if let Part::Offset(size) | Part::Id(size) = self.part {
            self.part = Part::Content(Content::DeltaHead, size);
        }
        Ok(())
    }

    /// Unpacks a piece of an object, and counts it. Returns what was not read yet.
    fn unpack<'a>(&mut self, bytes: &'a [u8], content: Content, left: u64) -> io::Result<&'a [u8]> {
        let mut piece = std::mem::take(&mut self.piece);
        let (read, unpacked) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(bytes, &mut piece, FlushDecompress::None);
        let status = status.map_err(|_| damaged("an object of it cannot be unpacked"))?;
        let (read, unpacked) = (self.inflate.total_in() - read, self.inflate.total_out() - unpacked);
        self.session.count_unpacked(unpacked)?;
        let content = match content {
            Content::DeltaHead => self.read_delta_head(&piece[..unpacked as usize])?,
            Content::Other => content,
        };
        self.piece = piece;
        let left = left.checked_sub(unpacked).ok_or_else(|| damaged("an object of it is longer than it says"))?;
        self.part = Part::Content(content, left);
        match status {
            Status::StreamEnd if left == 0 && content == Content::Other => self.go_on(),
            Status::StreamEnd => return Err(damaged("an object of it is shorter than it says")),
            _ if read == 0 && unpacked == 0 => return Err(damaged("an object of it has no end")),
            _ => {}
        }
        Ok(&bytes[read as usize..])
    }

    /// Reads the sizes of a delta's base and of its result. Both will be in memory, and the result is one more object.
    fn read_delta_head(&mut self, unpacked: &[u8]) -> io::Result<Content> {
        for byte in unpacked {
            self.gathered.push(*byte);
            let mut numbers = self.gathered.split_inclusive(|byte| byte & 0x80 == 0);
            let is_whole = |digits: &&[u8]| digits.last().is_some_and(|last| last & 0x80 == 0);
            if let (Some(base), Some(result)) = (numbers.next(), numbers.next().filter(is_whole)) {
                let (base, result) = (number(base, 7), number(result, 7));
                check_whole(base)?;
                check_whole(result)?;
                self.session.count_unpacked(result)?;
                self.gathered.clear();
                return Ok(Content::Other);
            }
            if self.gathered.len() > 2 * DIGITS {
                return Err(damaged("a number of it is too long"));
            }
        }
        Ok(Content::DeltaHead)
    }
}

/// A number whose first digit has so many bits of it, and each other one seven more, from the lowest on.
fn number(digits: &[u8], first: u32) -> u64 {
    let (mut number, mut bits) = (0_u128, 0);
    for (position, digit) in digits.iter().take(DIGITS).enumerate() {
        let width = if position == 0 { first } else { 7 };
        number |= (u128::from(*digit) & ((1 << width) - 1)) << bits;
        bits += width;
    }
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn check_whole(size: u64) -> io::Result<()> {
    match size > MAX_WHOLE {
        true => {
            Err(io::Error::other(format!("it sends an object of {size} bytes, and at most {MAX_WHOLE} are unpacked")))
        }
        false => Ok(()),
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::other(format!("it sends a damaged pack: {what}"))
}

#[cfg(test)]
mod tests;
