//! Packs of every kind, valid and invalid.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use jiff::Timestamp;
use proptest::prelude::*;
use stint_core::clock::{Clock, ManualClock};

use super::*;
use crate::publish::credentials::Address;
use crate::publish::wire::meter::Meter;
use crate::publish::wire::{Limits, SshCommand};

fn entry(kind: u8, mut size: u64, base: &[u8], content: &[u8]) -> Vec<u8> {
    let mut entry = vec![kind << 4 | (size & 15) as u8];
    size >>= 4;
    while size > 0 {
        *entry.last_mut().unwrap() |= 0x80;
        entry.push((size & 0x7f) as u8);
        size >>= 7;
    }
    entry.extend_from_slice(base);
    let mut deflate = ZlibEncoder::new(entry, Compression::best());
    deflate.write_all(content).unwrap();
    deflate.finish().unwrap()
}

fn pack(entries: &[Vec<u8>]) -> Vec<u8> {
    let count = (entries.len() as u32).to_be_bytes();
    [b"PACK", &[0, 0, 0, 2], &count[..], &entries.concat(), &[0; TRAILER]].concat()
}

fn delta(sizes: &[u8]) -> Vec<u8> {
    entry(DELTA_BY_ID, sizes.len() as u64, &[7; ID], sizes)
}

/// Runs `follow` in a session with a limit of 100,000 bytes of objects.
fn within<T>(follow: impl FnOnce(&Arc<Session>) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let patience = Duration::from_secs(60);
    let limits = Limits { deadline: patience, silence: patience, bytes: 0, objects: 0, unpacked: 100_000 };
    let address = Arc::new(Address::new("git://host/a", None));
    let _within = runtime.enter();
    follow(&Session::begin(&clock, limits, &address, "main", SshCommand::default()))
}

/// Follows a pack in pieces of this many bytes.
fn follow(pack: &[u8], piece: usize) -> Result<(), String> {
    within(|session| {
        let mut followed = Pack::new(session.clone());
        pack.chunks(piece).try_for_each(|piece| followed.take(piece)).map_err(|error| error.to_string())?;
        assert!(matches!(followed.part, Part::End), "it goes on");
        Ok(())
    })
}

#[test]
fn every_kind_of_object_is_followed_to_its_end() {
    let text = b"tree of a commit\n".repeat(300);
    let whole = |kind| entry(kind, text.len() as u64, &[], &text);
    let by_offset = entry(DELTA_BY_OFFSET, 3, &[0x81, 0x05], &[5, 0x85, 0x01]);
    let entries = [whole(1), whole(2), whole(BLOB), whole(4), by_offset, delta(&[5, 9]), entry(BLOB, 0, &[], b"")];
    let pack = pack(&entries);
    for piece in [1, 2, 7, 1_000, pack.len()] {
        assert_eq!(follow(&pack, piece), Ok(()), "{piece}");
    }
    assert_eq!(follow(&self::pack(&[]), 5), Ok(()));
}

#[test]
fn what_unpacks_to_too_much_is_refused() {
    let zeros = vec![0; 100_001];
    let too_much = "what it sends unpacks to more than 100000 bytes";
    for (entries, expected) in [
        (vec![entry(BLOB, 100_001, &[], &zeros)], too_much),
        (vec![entry(BLOB, 60_000, &[], &zeros[..60_000]); 2], too_much),
        // Results of 32,767 bytes each.
        (vec![delta(&[5, 0xff, 0xff, 0x01]); 4], too_much),
        (vec![delta(&[5, 0xff, 0xff, 0xff, 0xff, 0x7f])], "it sends an object of 34359738367 bytes"),
        (vec![delta(&[0xff, 0xff, 0xff, 0xff, 0x7f, 5])], "it sends an object of 34359738367 bytes"),
        (vec![entry(1, 1 << 40, &[], b"")], "it sends an object of 1099511627776 bytes"),
    ] {
        for piece in [1, 4_096] {
            let error = follow(&pack(&entries), piece).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}

/// Which of the two is reported depends on how much the decompressor had handed out before it met the damage.
#[test]
fn a_pack_that_is_too_large_and_damaged_is_refused_however_it_arrives() {
    let mut bad = pack(&[entry(BLOB, 200_000, &[], &vec![0; 200_000])]);
    let end = bad.len() - TRAILER;
    bad[end - 4..end].fill(0xff);
    for piece in [1, 7, bad.len()] {
        let error = follow(&bad, piece).unwrap_err();
        assert!(error.contains("it sends "), "in pieces of {piece}: {error}");
    }
}

#[test]
fn a_damaged_pack_is_refused() {
    let good = pack(&[entry(BLOB, 3, &[], b"abc")]);
    let damage = |at: usize, byte: u8| {
        let mut bad = good.clone();
        bad[at] = byte;
        bad
    };
    for bad in [
        damage(0, b'p'),
        damage(11, 2),
        damage(12, 0x30 | 2),
        damage(12, 0x30 | 4),
        damage(12, 0x50 | 3),
        damage(13, 0),
        [&good[..], b"more"].concat(),
        pack(&[delta(&[0xff; 30])]),
        pack(&[delta(&[5])]),
        [&good[..12], &[0xff; 20]].concat(),
    ] {
        let error = follow(&bad, 3).unwrap_err();
        assert!(error.starts_with("it sends "), "{error}");
    }
}

/// A response to a fetch: the pack in lines of this many bytes, and progress between them.
fn answer(pack: &[u8], line: usize) -> Vec<u8> {
    let mut answer = b"0008NAK\n".to_vec();
    for piece in pack.chunks(line) {
        answer.extend_from_slice(format!("{:04x}\x01", piece.len() + 5).as_bytes());
        answer.extend_from_slice(piece);
        answer.extend_from_slice(b"000b\x02 50 %\n");
    }
    [&answer[..], b"0000"].concat()
}

fn follow_answer(answer: &[u8], piece: usize) -> Result<(), String> {
    within(|session| {
        let mut meter = Meter::new(session);
        answer.chunks(piece).try_for_each(|piece| meter.take(piece)).map_err(|error| error.to_string())
    })
}

#[test]
fn a_pack_is_found_in_lines_and_without_them() {
    let (good, bomb) = (pack(&[entry(BLOB, 3, &[], b"abc")]), pack(&[delta(&[5, 0xff, 0xff, 0xff, 0xff, 0x7f])]));
    for piece in [1, 3, 1_000] {
        for line in [1, 7, 1_000] {
            assert_eq!(follow_answer(&answer(&good, line), piece), Ok(()));
            assert!(follow_answer(&answer(&bomb, line), piece).unwrap_err().contains("34359738367 bytes"));
        }
        let bare = |pack: &[u8]| [b"0008NAK\n", pack].concat();
        assert_eq!(follow_answer(&bare(&good), piece), Ok(()));
        assert!(follow_answer(&bare(&bomb), piece).unwrap_err().contains("34359738367 bytes"));
        assert!(follow_answer(&[answer(&good, 7), answer(&bomb, 7)].concat(), piece).is_err(), "one pack is requested");
    }
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(at in 0_usize..200, with: Vec<u8>, line in 1_usize..40, piece in 1_usize..40) {
        let mut bytes = answer(&pack(&[entry(1, 4, &[], b"tree"), delta(&[5, 9]), entry(BLOB, 3, &[], b"abc")]), line);
        let at = at.min(bytes.len());
        let end = (at + with.len()).min(bytes.len());
        bytes.splice(at..end, with);
        let _ = follow_answer(&bytes, piece);
    }
}
