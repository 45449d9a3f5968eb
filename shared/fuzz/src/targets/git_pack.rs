//! A pack of a git server, parsed as a stream: whether it is accepted does not depend on how it is split into pieces, and
//! no more is decompressed than allowed.

use std::io::Write;

use arbitrary::{Arbitrary, Unstructured};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use stint_warcraftlogs::publish::fuzzing;

use crate::upstream::first;

/// The limit of the decompressed objects.
const UNPACKED: u64 = 100_000;

#[derive(Arbitrary, Debug)]
struct Object<'a> {
    kind: u8,
    /// The size in its header; `None` for the correct size.
    size: Option<u64>,
    base: &'a [u8],
    content: &'a [u8],
    /// Followed by this many zero bytes.
    zeros: u16,
}

pub(crate) fn run(input: &[u8]) {
    let (size, rest) = first(input);
    let pack = match size % 2 {
        0 => rest.to_vec(),
        _ => match Vec::<Object<'_>>::arbitrary(&mut Unstructured::new(rest)) {
            Ok(objects) => pack(&objects),
            Err(_) => return,
        },
    };
    let whole = parse(&pack, pack.len());
    let in_pieces = parse(&pack, usize::from(size) + 1);
    // A pack with two faults may be refused for either: the decompressor reports damage before it hands out what it has
    // unpacked up to there, and that may have exceeded a limit.
    assert_eq!(in_pieces.is_ok(), whole.is_ok(), "in pieces of {}: {in_pieces:?} or {whole:?}", usize::from(size) + 1);
    for error in [whole, in_pieces].into_iter().filter_map(Result::err) {
        assert!(error.contains("it sends "), "{error}");
    }
}

fn parse(pack: &[u8], piece: usize) -> Result<(), String> {
    fuzzing::pack(pack.chunks(piece.max(1)), UNPACKED).map_err(|error| error.to_string())
}

fn pack(objects: &[Object<'_>]) -> Vec<u8> {
    let count = u32::try_from(objects.len()).unwrap_or_default();
    let mut pack = [&b"PACK\0\0\0\x02"[..], &count.to_be_bytes()].concat();
    for Object { kind, size, base, content, zeros } in objects {
        let zeros = usize::from(*zeros);
        let mut size = size.unwrap_or((content.len() + zeros) as u64);
        let mut head = vec![(kind % 8) << 4 | (size & 15) as u8];
        size >>= 4;
        while size > 0 {
            if let Some(last) = head.last_mut() {
                *last |= 0x80;
            }
            head.push((size & 0x7f) as u8);
            size >>= 7;
        }
        pack.extend(head);
        pack.extend(*base);
        let mut deflate = ZlibEncoder::new(&mut pack, Compression::fast());
        // Writing to memory cannot fail.
        _ = deflate.write_all(content).and_then(|()| deflate.write_all(&vec![0; zeros]));
    }
    pack.extend([0; 20]);
    pack
}
