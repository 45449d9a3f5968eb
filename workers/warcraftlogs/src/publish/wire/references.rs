//! The references that a remote lists at first. Only those that a publication needs are passed on, so that the others
//! cost no more than reading past them, whatever their number and the encoding of their names.
//! <https://git-scm.com/docs/pack-protocol#_reference_discovery>

use std::io::{self, Read};

use crate::publish::remote::TAGS;

/// A remote with more references than this is an error. GitHub lists two for each pull request in addition to branches
/// and tags.
pub(crate) const MAX_REFERENCES: usize = 100_000;

/// The longest line in git's protocol.
const MAX_LINE: usize = 65_520;

/// The digits of an object's id, and the space after it.
const ID: usize = 41;

/// Begins a line that says why there is no list. The server closes the connection after it.
const ERROR: &[u8] = b"ERR ";

/// Ends a part.
const FLUSH: &[u8] = b"0000";

/// If there is no reference, this line carries the capabilities.
const NOTHING: &[u8] = b"0000000000000000000000000000000000000000 capabilities^{}";

/// Reads a list, and returns it with only the branch and the tags. `parts` is 2 if a comment comes first, as over HTTP.
pub(super) fn read(stream: &mut impl Read, parts: u32, branch: &str) -> io::Result<Vec<u8>> {
    let mut list = List { branch, text: Vec::new(), capabilities: None, has_reference: false };
    let (mut flushes, mut lines) = (0, 0);
    while flushes < parts {
        let Some(line) = read_line(stream)? else {
            flushes += 1;
            list.end_part(flushes == parts);
            continue;
        };
        lines += 1;
        if lines > MAX_REFERENCES {
            return Err(io::Error::other(format!(
                "it lists more than {MAX_REFERENCES} references, and no more of them are read"
            )));
        }
        if let Some(reason) = line.strip_prefix(ERROR) {
            return Err(io::Error::other(format!("it says: {}", super::one_line(reason))));
        }
        list.take(&line);
    }
    Ok(list.text)
}

/// The list to be passed on.
struct List<'a> {
    branch: &'a str,
    text: Vec<u8>,
    /// From the line of the first reference, starting at its NUL byte.
    capabilities: Option<Vec<u8>>,
    has_reference: bool,
}

impl List<'_> {
    fn take(&mut self, line: &[u8]) {
        // A comment, or another line that is not a reference: libgit2 handles it.
        if line.len() < ID || !line[..ID - 1].iter().all(u8::is_ascii_hexdigit) {
            if !line.starts_with(b"shallow ") {
                push(&mut self.text, line);
            }
            return;
        }
        let (head, capabilities) = match line.iter().position(|byte| *byte == 0) {
            Some(zero) => (&line[..zero], Some(line[zero..].to_vec())),
            None => (line, None),
        };
        self.capabilities = capabilities.or(self.capabilities.take());
        let name = std::str::from_utf8(head.get(ID..).unwrap_or_default()).unwrap_or_default().trim_end();
        if name == self.branch || name.starts_with(TAGS) {
            self.pass_on(head.trim_ascii_end());
        }
    }

    /// Passes a reference on; the first one carries the capabilities.
    fn pass_on(&mut self, head: &[u8]) {
        self.has_reference = true;
        let capabilities = self.capabilities.take();
        push(&mut self.text, &[head, capabilities.as_deref().unwrap_or(b"\n")].concat());
    }

    fn end_part(&mut self, is_last: bool) {
        if is_last && !self.has_reference && self.capabilities.is_some() {
            self.pass_on(NOTHING);
        }
        self.text.extend_from_slice(FLUSH);
    }
}

fn push(text: &mut Vec<u8>, line: &[u8]) {
    text.extend_from_slice(format!("{:04x}", line.len() + FLUSH.len()).as_bytes());
    text.extend_from_slice(line);
}

/// The next line; `None` ends a part.
fn read_line(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut digits = [0; 4];
    stream.read_exact(&mut digits)?;
    let Some(length) = length_of_line(&digits)? else { return Ok(None) };
    let mut line = vec![0; length];
    stream.read_exact(&mut line)?;
    Ok(Some(line))
}

/// How many bytes follow these digits in a line; `None` ends a part.
pub(super) fn length_of_line(digits: &[u8]) -> io::Result<Option<usize>> {
    let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    match digits.and_then(|digits| usize::from_str_radix(digits, 16).ok()) {
        Some(0) => Ok(None),
        Some(length @ 4..=MAX_LINE) => Ok(Some(length - 4)),
        _ => Err(io::Error::other("it does not speak git's protocol")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "1111111111111111111111111111111111111111";

    fn lines(lines: &[&[u8]]) -> Vec<u8> {
        let mut text = Vec::new();
        for line in lines {
            if line.is_empty() { text.extend_from_slice(FLUSH) } else { push(&mut text, line) }
        }
        text
    }

    fn filtered(input: &[&[u8]], parts: u32) -> io::Result<Vec<u8>> {
        read(&mut lines(input).as_slice(), parts, "refs/heads/main")
    }

    #[test]
    fn only_the_branch_and_the_tags_are_handed_on() {
        let first = format!("{ONE} HEAD\0side-band-64k shallow\n");
        let other = [ONE.as_bytes(), b" refs/heads/caf\xe9\n"].concat();
        let (branch, tag) = (format!("{ONE} refs/heads/main\n"), format!("{ONE} refs/tags/v1\n"));
        let pull = format!("{ONE} refs/pull/1/head\n");
        let input = [first.as_bytes(), &other, branch.as_bytes(), pull.as_bytes(), tag.as_bytes(), b""];
        let kept = format!("{ONE} refs/heads/main\0side-band-64k shallow\n");
        assert_eq!(filtered(&input, 1).unwrap(), lines(&[kept.as_bytes(), tag.as_bytes(), b""]));
    }

    #[test]
    fn capabilities_survive_where_no_reference_does() {
        let first = format!("{ONE} refs/heads/other\0shallow\n");
        let comment = b"# service=git-upload-pack\n";
        let kept = [NOTHING, b"\0shallow\n"].concat();
        let expected = lines(&[comment, b"", &kept, b""]);
        assert_eq!(filtered(&[comment, b"", first.as_bytes(), b""], 2).unwrap(), expected);
    }

    #[test]
    fn why_there_is_no_list_is_said() {
        let refused = b"ERR access denied\x1b[2J or repository not exported: /a.git\n";
        // No flush follows.
        let error = filtered(&[refused], 1).unwrap_err().to_string();
        assert_eq!(error, "it says: access denied [2J or repository not exported: /a.git");
        let long = [ERROR, &[b'a'; 5_000]].concat();
        assert!(filtered(&[b"# service=git-upload-pack\n", b"", &long], 2).unwrap_err().to_string().len() < 400);
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for text in ["", "zzzz", "+123", "0003", "fff1", "0010abc", "HTTP/1.1 200 OK"] {
            assert!(read(&mut text.as_bytes(), 1, "refs/heads/main").is_err(), "{text}");
        }
        let line = format!("{ONE} refs/heads/x\n");
        let many = lines(&vec![line.as_bytes(); MAX_REFERENCES + 1]);
        assert!(read(&mut many.as_slice(), 1, "").unwrap_err().to_string().contains("more than 100000 references"));
    }
}
