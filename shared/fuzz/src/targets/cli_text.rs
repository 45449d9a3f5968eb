//! External text that is printed to a terminal: no control sequence remains, and JSON keeps its meaning.

#[path = "../../../../workers/stint/src/escape.rs"]
mod escape;

use escape::{escape_control, one_line};

pub(crate) fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let shown = escape_control(&text);
    let kept = shown.chars().filter(|character| character.is_control()).all(|character| "\n\t".contains(character));
    assert!(kept, "{shown:?}");
    assert_eq!(escape_control(&shown), shown, "what is printable stays as it is");
    let line = one_line(&text);
    assert!(!line.contains(char::is_control), "{line:?}");
    let json = serde_json::to_string(&*text).expect("every text has a JSON form");
    let read: String = serde_json::from_str(&escape_control(&json)).expect("still valid JSON");
    assert_eq!(read, text);
}
