//! Writes text as a shell reads it, for commands that a user may paste.

use std::env::args_os;
use std::path::Path;

/// Returns the command that starts this program again from the same folder: `stint` if it was found on PATH, or a path
/// such as `target/release/stint` after `cargo run`.
pub(crate) fn program() -> String {
    let name = args_os().next();
    name.map_or_else(|| "stint".to_owned(), |name| quoted(&name.to_string_lossy()))
}

/// Returns `path`, quoted if necessary.
pub(crate) fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// Returns `text`, in quotation marks if a shell would otherwise change it.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@,".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_where_a_shell_would_change_it() {
        assert_eq!(quoted("target/release/stint"), "target/release/stint");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("my folder"), "'my folder'");
        assert_eq!(quoted("Mal'Ganis"), r"'Mal'\''Ganis'");
        assert_eq!(path(Path::new("/srv/a b")), "'/srv/a b'");
    }
}
