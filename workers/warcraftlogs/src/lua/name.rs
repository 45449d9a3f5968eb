//! Names in their written form.
//!
//! A name ends at the class, so it must not contain a byte below `A`. Names with such bytes, such as those of forced
//! renames (`狂嗨2F8469`), are written with escapes; all others are written unchanged.

use std::borrow::Cow;

/// Begins an escape. It is not a letter, and above all bytes that stand for a class.
const MARK: u8 = b'~';
/// Difference between the second byte of an escape and the byte that it stands for.
const SHIFT: u8 = b'A' - b' ';
/// Bytes that are escaped, apart from the mark itself: every printable ASCII character below `A`.
const ESCAPED: std::ops::RangeInclusive<u8> = b' '..=b'@';

/// The written form of a name.
pub(crate) fn written(name: &str) -> Cow<'_, [u8]> {
    let name = name.as_bytes();
    if !name.iter().any(|byte| *byte == MARK || ESCAPED.contains(byte)) {
        return Cow::Borrowed(name);
    }
    let mut target = Vec::with_capacity(2 * name.len());
    for byte in name {
        match *byte {
            MARK => target.extend([MARK, MARK]),
            byte if ESCAPED.contains(&byte) => target.extend([MARK, byte + SHIFT]),
            byte => target.push(byte),
        }
    }
    Cow::Owned(target)
}

/// The name with this written form. `None` if no name is written so.
pub(crate) fn read(written: &[u8]) -> Option<Cow<'_, str>> {
    if !written.contains(&MARK) {
        return std::str::from_utf8(written).ok().map(Cow::Borrowed);
    }
    let mut name = Vec::with_capacity(written.len());
    let mut bytes = written.iter();
    while let Some(byte) = bytes.next() {
        name.push(match *byte {
            MARK => match *bytes.next()? {
                MARK => MARK,
                byte => byte.checked_sub(SHIFT).filter(|byte| ESCAPED.contains(byte))?,
            },
            byte => byte,
        });
    }
    String::from_utf8(name).ok().map(Cow::Owned)
}

/// The same for a message, whatever the bytes are.
pub(crate) fn shown(written: &[u8]) -> String {
    read(written).map_or_else(|| String::from_utf8_lossy(written).into_owned(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn names_of_letters_are_written_as_they_are() {
        for name in ["Ann", "Ånn", "狂嗨", "한"] {
            assert!(matches!(written(name), Cow::Borrowed(bytes) if bytes == name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_forced_rename_costs_one_byte_for_each_digit() {
        assert_eq!(written("狂嗨2F8469"), "狂嗨~SF~Y~U~W~Z".as_bytes());
        assert_eq!(written("A ~@"), b"A~A~~~a".as_slice());
    }

    #[test]
    fn what_stands_for_no_name_is_none() {
        for damaged in ["Ann~".as_bytes(), b"Ann~@", b"Ann~b", b"Ann\xff", b"~S\xff"] {
            assert_eq!(read(damaged), None, "{damaged:?}");
        }
    }

    proptest! {
        #[test]
        fn every_name_reads_back_and_has_no_byte_of_a_class(name in "\\PC{0,20}") {
            let bytes = written(&name);
            prop_assert!(bytes.iter().all(|byte| *byte >= b'A'));
            prop_assert_eq!(read(&bytes).unwrap(), name.as_str());
        }
    }
}
