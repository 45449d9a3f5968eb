//! Long brackets: Lua's way to write a text without escapes.

use std::collections::BTreeSet;

/// Opens a text. Lua drops the newline after the bracket.
pub(super) fn open(text: &[u8]) -> String {
    format!("[{}[\n", "=".repeat(level(text)))
}

/// Closes the same text.
pub(super) fn close(text: &[u8]) -> String {
    format!("]{}]\n", "=".repeat(level(text)))
}

/// The number of equals signs for which the closing bracket does not occur in the text; at least two.
fn level(text: &[u8]) -> usize {
    let mut found = BTreeSet::new();
    let mut run = None;
    for byte in text {
        run = match (*byte, run) {
            (b']', run) => {
                found.extend(run);
                Some(0)
            }
            (b'=', Some(length)) => Some(length + 1),
            _ => None,
        };
    }
    // If the text ends within a bracket, the closing bracket itself would complete it.
    found.extend(run);
    (2..).find(|level| !found.contains(level)).unwrap_or(2)
}

#[cfg(test)]
mod tests {
    use super::level;

    #[test]
    fn the_bracket_never_occurs_in_the_text() {
        assert_eq!(level(b"Ann!!"), 2);
        assert_eq!(level(b"a]==]b"), 3);
        assert_eq!(level(b"a]==]===]b]====]"), 5);
        assert_eq!(level(b"]=]===]==x]]"), 2);
        assert_eq!(level(b"]=="), 3);
    }
}
