//! Follows a pack while it is received, and determines the unpacked size of its objects before libgit2 allocates memory
//! for them. <https://git-scm.com/docs/pack-format>

use std::io;
use std::sync::Arc;

use flate2::{Decompress, FlushDecompress, Status};

use super::session::Session;

/// Size of the magic, the version, and the number of objects.
const HEADER: usize = 12;

/// Size of the checksum at the end.
const TRAILER: usize = 20;

/// Size of a base's id.
const ID: usize = 20;

/// The most digits of a number in the format: 64 bits, seven in each.
const DIGITS: usize = 10;

/// How much is unpacked at a time.
const PIECE: usize = 1 << 16;

/// Limit on the size of objects that must be in memory as a whole: a commit, a tree, a delta with its base and its
/// result. A blob that is not a delta is written to disk in pieces. Git makes deltas of files up to twice this size,
/// and hosts refuse files of less than half of it.
const MAX_WHOLE: u64 = 256 << 20;

/// The kinds of objects, by their numbers in the format.
const BLOB: u8 = 3;
const DELTA_BY_OFFSET: u8 = 6;
const DELTA_BY_ID: u8 = 7;

/// Follows a pack.
pub(super) struct Pack {
    session: Arc<Session>,
    part: Part,
    /// The bytes read so far of a part that is only useful when complete.
    gathered: Vec<u8>,
    /// How many objects have not started.
    objects: u32,
    inflate: Decompress,
    /// Buffer into which objects are unpacked, piece by piece.
    piece: Vec<u8>,
}

/// The part to which the next byte belongs.
#[derive(Clone, Copy)]
enum Part {
    Header,
    /// An object's kind and size.
    Entry,
    /// The distance to the base of a delta of this size.
    Offset(u64),
    /// The id of the base of a delta of this size.
    Id(u64),
    /// An object's content, with this many bytes still to be unpacked.
    Content(Content, u64),
    Trailer,
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// A delta whose own head is not read yet: the sizes of its base and of its result.
    DeltaHead,
    Other,
}

/// Handles a complete part.
type Done = fn(&mut Pack, &[u8]) -> io::Result<()>;

impl Pack {
    /// The first bytes of a pack.
    pub(super) const MAGIC: &[u8] = b"PACK";

    /// Starts to follow a pack. Its unpacked size counts in `session`.
    pub(super) fn new(session: Arc<Session>) -> Pack {
        let (inflate, piece) = (Decompress::new(true), vec![0; PIECE]);
        Pack { session, part: Part::Header, gathered: Vec::new(), objects: 0, inflate, piece }
    }

    /// Follows the next bytes. An error says what is wrong with them, or which limit they exceed.
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
                Part::End => return Err(io::Error::other("it sends more than the requested pack")),
            };
        }
        Ok(())
    }

    /// Reads up to the end of a part of this length. Returns the bytes after it.
    fn gather<'a>(&mut self, bytes: &'a [u8], length: usize, done: Done) -> io::Result<&'a [u8]> {
        let (more, rest) = bytes.split_at(bytes.len().min(length - self.gathered.len()));
        self.gathered.extend_from_slice(more);
        if self.gathered.len() == length {
            let whole = std::mem::take(&mut self.gathered);
            done(self, &whole)?;
        }
        Ok(rest)
    }

    /// Reads up to the end of a number, whose last byte is the first one below 128. Returns the bytes after it.
    fn digits<'a>(&mut self, bytes: &'a [u8], done: Done) -> io::Result<&'a [u8]> {
        let end = bytes.iter().position(|byte| byte & 0x80 == 0).map(|last| last + 1);
        let length = self.gathered.len() + end.unwrap_or(bytes.len());
        if length > DIGITS {
            return Err(damaged("a number is too long"));
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
            _ => Err(damaged("it has no pack header")),
        }
    }

    /// Continues with the next object, or the end.
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
            _ => return Err(damaged("an object has an unknown type")),
        };
        Ok(())
    }

    fn enter_delta(&mut self, _base: &[u8]) -> io::Result<()> {
        if let Part::Offset(size) | Part::Id(size) = self.part {
            self.part = Part::Content(Content::DeltaHead, size);
        }
        Ok(())
    }

    /// Unpacks a piece of an object, and counts it. Returns the bytes that were not read yet.
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
                return Err(damaged("a number is too long"));
            }
        }
        Ok(Content::DeltaHead)
    }
}

/// A number whose first digit has this many bits of it, and each other digit seven more, from the lowest on.
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
