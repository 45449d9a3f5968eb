//! The one place where text from outside is made safe for a terminal or a log.
//!
//! Player names, upstream responses and stored documents may contain characters that a terminal interprets (escape
//! sequences) or that change the order in which text is shown (bidirectional marks). Each is replaced by its escape,
//! such as `\u001b`, which is readable and, inside a JSON string, still denotes the same character.

use std::borrow::Cow;
use std::fmt::Write;

/// Escapes every character that a terminal may interpret instead of showing. Line breaks and tabs are kept.
pub(crate) fn escape_control(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_control_like) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_control_like(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// The same on one line, for a table cell or a part of a sentence: line breaks and tabs become spaces.
pub(crate) fn one_line(text: &str) -> String {
    escape_control(text).replace(['\n', '\t'], " ")
}

/// Returns whether a terminal may interpret the character. The bidirectional marks are those of Unicode's annex 9,
/// section 2: <https://www.unicode.org/reports/tr9/>; the tags are the invisible characters of the block at U+E0000.
fn is_control_like(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_are_shown_as_escapes() {
        assert_eq!(escape_control("a\u{1b}[2Jb\r\u{9b}1m"), "a\\u001b[2Jb\\u000d\\u009b1m");
        assert_eq!(escape_control("\u{202e}gnp.exe\u{2069}\u{e0041}"), "\\u202egnp.exe\\u2069\\udb40\\udc41");
        let plain = "Ånn 狂嗨2F8469\tof\nTarren Mill, “x” \\";
        assert!(matches!(escape_control(plain), Cow::Borrowed(text) if text == plain));
    }

    #[test]
    fn one_line_stays_one_line() {
        assert_eq!(one_line("a\u{1b}[2J\nb\tc\u{2028}d"), "a\\u001b[2J b c\\u2028d");
    }

    proptest! {
        #[test]
        fn json_keeps_its_meaning(text: String) {
            let value = serde_json::json!({ "name": text });
            let json = serde_json::to_string_pretty(&value).unwrap();
            let shown = escape_control(&json);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
            prop_assert!(!shown.chars().any(is_control_like));
        }
    }
}
