//! Splits a file into documents: lines, or the elements of one JSON array. Only one document is in memory at a time.

use std::io::{BufRead, ErrorKind, Read};

use anyhow::{Context, Result, bail, ensure};

/// MongoDB limits a document to 16 MB in binary form. As text it is longer.
const MAX_DOCUMENT: usize = 64 << 20;

const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// The documents of a file, as text.
pub(super) struct Documents<R> {
    reader: R,
    form: Form,
    /// The current line, counted from 1.
    line: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Unknown,
    Lines,
    /// The output of `mongoexport --jsonArray`. `first` is true until an element was read; every later element follows
    /// a comma.
    Array {
        first: bool,
    },
    Ended,
}

/// The text of one document.
#[derive(Debug, PartialEq)]
pub(super) struct DocumentText {
    /// The line at which it begins, counted from 1.
    pub(super) line: u64,
    pub(super) bytes: Vec<u8>,
}

impl<R: BufRead> Documents<R> {
    pub(super) fn new(reader: R) -> Documents<R> {
        Documents { reader, form: Form::Unknown, line: 1 }
    }

    /// Returns the next document, or `None` at the end. After an error, nothing more can be read.
    pub(super) fn next_document(&mut self) -> Result<Option<DocumentText>> {
        if self.form == Form::Unknown {
            self.recognise()?;
        }
        match self.form {
            Form::Lines => self.next_line(),
            Form::Array { first } => self.next_element(first),
            Form::Unknown | Form::Ended => Ok(None),
        }
    }

    fn recognise(&mut self) -> Result<()> {
        if self.reader.fill_buf()?.starts_with(&BYTE_ORDER_MARK) {
            self.reader.consume(BYTE_ORDER_MARK.len());
        }
        self.form = match self.skip_blanks()? {
            None => Form::Ended,
            Some(b'[') => {
                self.reader.consume(1);
                Form::Array { first: true }
            }
            Some(_) => Form::Lines,
        };
        Ok(())
    }

    fn next_line(&mut self) -> Result<Option<DocumentText>> {
        loop {
            let line = self.line;
            let mut bytes = Vec::new();
            let read = (&mut self.reader).take(MAX_DOCUMENT as u64 + 1).read_until(b'\n', &mut bytes)?;
            ensure!(
                read <= MAX_DOCUMENT,
                "line {line} is longer than {MAX_DOCUMENT} bytes, the maximum for a document"
            );
            if read == 0 {
                return Ok(None);
            }
            self.line += 1;
            let text = bytes.trim_ascii();
            if !text.is_empty() {
                return Ok(Some(DocumentText { line, bytes: text.to_vec() }));
            }
        }
    }

    fn next_element(&mut self, first: bool) -> Result<Option<DocumentText>> {
        let mut next = self.skip_blanks()?;
        if next == Some(b',') && !first {
            self.reader.consume(1);
            next = self.skip_blanks()?;
        } else if next == Some(b']') {
            self.reader.consume(1);
            self.form = Form::Ended;
            ensure!(self.skip_blanks()?.is_none(), "line {}: something follows the end of the array", self.line);
            return Ok(None);
        } else if next.is_some() && !first {
            bail!("line {}: a comma or the end of the array is missing", self.line);
        }
        ensure!(next == Some(b'{'), "line {}: the array contains something other than a document", self.line);
        self.form = Form::Array { first: false };
        self.element().map(Some)
    }

    /// Reads from an opening brace to its closing brace. Whether the text is valid JSON is checked later.
    fn element(&mut self) -> Result<DocumentText> {
        let line = self.line;
        let (mut bytes, mut depth, mut in_string, mut escaped) = (Vec::new(), 0_u32, false, false);
        while let Some(byte) = self.byte()? {
            bytes.push(byte);
            ensure!(bytes.len() <= MAX_DOCUMENT, "line {line}: a document of more than {MAX_DOCUMENT} bytes");
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                b'{' | b'[' if !in_string => depth += 1,
                b'}' | b']' if !in_string => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(DocumentText { line, bytes });
            }
        }
        bail!("line {line}: the file ends within this document")
    }

    fn byte(&mut self) -> Result<Option<u8>> {
        let byte = self.peek()?;
        if let Some(byte) = byte {
            self.reader.consume(1);
            self.line += u64::from(byte == b'\n');
        }
        Ok(byte)
    }

    fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            match self.reader.fill_buf() {
                Ok(buffer) => return Ok(buffer.first().copied()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot continue reading"),
            }
        }
    }

    fn skip_blanks(&mut self) -> Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.byte()?;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(u64, String)>> {
        // The buffer holds a few bytes only, so that every document spans several reads.
        let mut documents = Documents::new(std::io::BufReader::with_capacity(5, text.as_bytes()));
        let mut all = Vec::new();
        while let Some(DocumentText { line, bytes }) = documents.next_document()? {
            all.push((line, String::from_utf8(bytes).unwrap()));
        }
        Ok(all)
    }

    #[test]
    fn lines_and_arrays_give_the_same_documents() {
        let documents = [r#"{"a":1}"#, r#"{"b":{"c":["]","\"}"]}}"#];
        let expected = |lines: [u64; 2]| lines.into_iter().zip(documents.map(str::to_owned)).collect::<Vec<_>>();
        let [first, second] = documents;
        assert_eq!(read(&format!("\u{feff}{first}\r\n\n{second}")).unwrap(), expected([1, 3]));
        assert_eq!(read(&format!("[{first},{second}]\n")).unwrap(), expected([1, 1]));
        assert_eq!(read(&format!("\n[\n{first}\n,\n{second}\n]")).unwrap(), expected([3, 5]));
        assert_eq!(read(" \n").unwrap(), []);
        assert_eq!(read("[]").unwrap(), []);
    }

    #[test]
    fn broken_arrays_name_the_line() {
        for (text, expected) in [
            ("[{}", "line 1"),
            ("[{}\n{}]", "line 2: a comma"),
            ("[{}\n,{\"a\":", "line 2: the file ends"),
            ("[1]", "other than a document"),
            ("[{}] x", "follows the end"),
            ("[{},]", "other than a document"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
