//! Follows what a remote sends in response to a fetch, and finds the pack in it.
//! <https://git-scm.com/docs/protocol-common#_pkt_line_format>, <https://git-scm.com/docs/pack-protocol#_packfile_data>

use std::io;
use std::sync::Arc;

use super::pack::Pack;
use super::references::length_of_line;
use super::session::Session;

/// Number of digits of a line's length.
const DIGITS: usize = 4;

/// First byte of a line with a piece of the pack; 2 is progress, and 3 an error.
const DATA: u8 = 1;

/// Follows a response from its first byte to its last.
pub(super) struct Meter {
    pack: Pack,
    place: Place,
}

/// The position of the next byte in the response.
enum Place {
    /// In the digits of a line's length, of which these were read.
    Length(Vec<u8>),
    /// At the first byte of a line with this many bytes left.
    First(usize),
    /// In a line of pack data with this many bytes left.
    Data(usize),
    /// In a line that is not part of the pack.
    Words(usize),
    /// In a pack that was sent without lines around it.
    Bare,
}

impl Meter {
    /// A meter for one response. The unpacked size of its pack counts in `session`.
    pub(super) fn new(session: &Arc<Session>) -> Meter {
        Meter { pack: Pack::new(session.clone()), place: Place::Length(Vec::new()) }
    }

    /// Follows the next bytes. An error says what is wrong with them, or which limit they exceed.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(first) = bytes.first() {
            match &mut self.place {
                Place::Bare => return self.pack.take(bytes),
                Place::Length(digits) => {
                    let (more, rest) = bytes.split_at(bytes.len().min(DIGITS - digits.len()));
                    digits.extend_from_slice(more);
                    bytes = rest;
                    if digits.len() == DIGITS {
                        let digits = std::mem::take(digits);
                        self.enter(&digits)?;
                    }
                }
                Place::First(left) => {
                    let left = *left - 1;
                    self.place = if *first == DATA { Place::Data(left) } else { Place::Words(left) };
                    bytes = &bytes[1..];
                }
                Place::Data(left) | Place::Words(left) => {
                    let (piece, rest) = bytes.split_at(bytes.len().min(*left));
                    *left -= piece.len();
                    if let Place::Data(_) = self.place {
                        self.pack.take(piece)?;
                    }
                    bytes = rest;
                }
            }
            if let Place::First(0) | Place::Data(0) | Place::Words(0) = self.place {
                self.place = Place::Length(Vec::new());
            }
        }
        Ok(())
    }

    /// Enters the line with these length digits, or the pack that begins with them.
    fn enter(&mut self, digits: &[u8]) -> io::Result<()> {
        if digits == Pack::MAGIC {
            self.place = Place::Bare;
            return self.pack.take(digits);
        }
        self.place = Place::First(length_of_line(digits)?.unwrap_or_default());
        Ok(())
    }
}
