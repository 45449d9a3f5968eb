//! One Rust file, read just well enough to tell code, texts, comments and tests apart.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ra_ap_rustc_lexer::{FrontmatterAllowed, LiteralKind, Token, TokenKind, tokenize};

/// A Rust file whose `code` has the same bytes at the same places, with comments and the insides of texts blanked.
#[derive(Default)]
pub(crate) struct Source {
    pub(crate) code: String,
    /// The literal texts, by the offset at which each begins.
    pub(crate) literals: BTreeMap<usize, String>,
    /// The lines that carry a comment which is no documentation.
    pub(crate) comments: BTreeSet<usize>,
    tests: Vec<Range<usize>>,
    lines: Vec<usize>,
}

impl Source {
    pub(crate) fn parse(text: &str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut source = Self { lines, ..Self::default() };
        let mut code = text.as_bytes().to_vec();
        let mut start = 0;
        for token in tokenize(text, FrontmatterAllowed::No) {
            let end = start + token.len as usize;
            for byte in &mut code[source.blank(&token, start..end, text)] {
                *byte = if *byte == b'\n' { b'\n' } else { b' ' };
            }
            start = end;
        }
        source.code = String::from_utf8(code).expect("whole characters were blanked");
        source.tests = tests(&source.code);
        source
    }

    /// Notes a token that is a comment or a text, and returns which part of it is not code.
    fn blank(&mut self, token: &Token, place: Range<usize>, text: &str) -> Range<usize> {
        match token.kind {
            TokenKind::LineComment { doc_style } | TokenKind::BlockComment { doc_style, .. } => {
                if doc_style.is_none() {
                    self.comments.insert(self.line(place.start));
                }
                place
            }
            TokenKind::Literal { kind: LiteralKind::Char { .. } | LiteralKind::Byte { .. }, suffix_start } => {
                inside(&text[place.start..place.start + suffix_start as usize], '\'', 1, place.start)
            }
            TokenKind::Literal { kind, suffix_start } => {
                let Some(closing) = closing_length(kind) else { return place.end..place.end };
                let literal = &text[place.start..place.start + suffix_start as usize];
                let inside = inside(literal, '"', closing, place.start);
                self.literals.insert(place.start, text[inside.clone()].to_owned());
                inside
            }
            _ => place.end..place.end,
        }
    }

    /// The line of an offset, counted from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    /// Whether this offset lies in an item under `#[cfg(test)]`.
    pub(crate) fn is_test(&self, offset: usize) -> bool {
        self.tests.iter().any(|item| item.contains(&offset))
    }

    /// Every path that an import or the code names by `crate`, `super`, `self` or a module, and where.
    pub(crate) fn paths(&self) -> Vec<(usize, String)> {
        let mut found: Vec<(usize, String)> =
            groups(&self.code).into_iter().map(|(statement, path)| (statement.start, path)).collect();
        for start in words(&self.code, "use") {
            let import = self.code[start + 3..].split(';').next().unwrap_or_default().trim();
            let path = import.split_whitespace().next().unwrap_or_default();
            if !import.contains('{') {
                found.push((start, path.to_owned()));
            }
        }
        for head in ["crate::", "super::"] {
            for at in words(&self.code, head).into_iter().filter(|at| !self.code[..*at].ends_with(':')) {
                let rest = &self.code[at..];
                let end = rest.find(|char| !is_word(char) && char != ':').unwrap_or(rest.len());
                found.push((at, rest[..end].to_owned()));
            }
        }
        found
    }

    /// Where `path` is named: as it stands, or inside a group of imports such as `use std::{fs, io}`.
    pub(crate) fn mentions(&self, path: &str) -> Vec<usize> {
        let mut found = words(&self.code, path);
        for (statement, import) in groups(&self.code) {
            if !words(&import, path).is_empty() && !found.iter().any(|at| statement.contains(at)) {
                found.push(statement.start);
            }
        }
        found
    }
}

/// The offsets of `needle` as a whole word. A needle that ends in `_` stands for every word that begins with it.
pub(crate) fn words(code: &str, needle: &str) -> Vec<usize> {
    let open = needle.ends_with('_');
    let whole = |at: usize| {
        let before = !needle.starts_with(is_word) || !code[..at].ends_with(is_word);
        let after = open || !needle.ends_with(is_word) || !code[at + needle.len()..].starts_with(is_word);
        before && after
    };
    code.match_indices(needle).map(|(at, _)| at).filter(|at| whole(*at)).collect()
}

fn is_word(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

/// The length of the quotation mark that closes a literal text, with its hashes. `None`: a number.
fn closing_length(kind: LiteralKind) -> Option<usize> {
    match kind {
        LiteralKind::Str { .. } | LiteralKind::ByteStr { .. } | LiteralKind::CStr { .. } => Some(1),
        LiteralKind::RawStr { n_hashes } | LiteralKind::RawByteStr { n_hashes } | LiteralKind::RawCStr { n_hashes } => {
            Some(1 + usize::from(n_hashes.unwrap_or_default()))
        }
        _ => None,
    }
}

/// The place between the quotation marks of a literal that begins at `start`.
fn inside(literal: &str, quote: char, closing: usize, start: usize) -> Range<usize> {
    let from = literal.find(quote).map_or(literal.len(), |at| at + 1);
    start + from..start + literal.len().saturating_sub(closing).max(from)
}

/// The offset behind the bracket that closes the one at `open`.
pub(crate) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// The items under `#[cfg(test)]` and its like, from attribute to end.
fn tests(code: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if code.contains("#![cfg(test)]") {
        found.push(0..code.len());
    }
    for marker in ["#[cfg(test)]", "#[cfg(any(test,", "#[cfg(all(test,"] {
        for (start, _) in code.match_indices(marker) {
            let mut at = closing(code, start + 1);
            while code[at..].trim_start().starts_with("#[") {
                at = closing(code, at + code[at..].find('[').unwrap_or(0));
            }
            let body = code[at..].find(['{', ';']).map_or(code.len(), |from| at + from);
            let end = if code[body..].starts_with('{') { closing(code, body) } else { body };
            found.push(start..end);
        }
    }
    found
}

/// Every path of every import that has a group, written out, and where the import stands.
fn groups(code: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    for start in words(code, "use") {
        let Some(end) = code[start..].find(';') else { continue };
        let import: String = code[start + 3..start + end].split_whitespace().collect();
        if import.contains('{') {
            expand("", &import, &mut |path| found.push((start..start + end, path)));
        }
    }
    found
}

fn expand(head: &str, import: &str, found: &mut dyn FnMut(String)) {
    let Some(open) = import.find('{') else { return found(format!("{head}{import}")) };
    let head = format!("{head}{}", &import[..open]);
    let (mut depth, mut start) = (0, open + 1);
    for (at, byte) in import.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if (byte == b',' && depth == 1) || (byte == b'}' && depth == 0) {
            expand(&head, &import[start..at], found);
            start = at + 1;
        }
    }
}

#[test]
fn texts_and_comments_are_no_code() {
    let source = Source::parse(
        "let a = \"x // y\\\" z\"; // because\nlet b = r#\"std::fs \"q\" \"#; let c = '{'; /* std::fs */ d\n",
    );
    assert_eq!(
        source.code.trim_end().lines().last(),
        Some("let b = r#\"            \"#; let c = ' ';               d")
    );
    assert_eq!(source.literals[&8], "x // y\\\" z");
    assert_eq!(source.comments, [1, 2].into());
}

#[test]
fn lifetimes_and_characters_are_told_apart() {
    let source = Source::parse("fn a<'a>(b: &'a str) { '\\''; 'ä'; \"c\"; 'd'; '\\u{1F600}'; }");
    assert_eq!(source.literals.into_values().collect::<Vec<_>>(), ["c"]);
}

#[test]
fn tests_end_where_their_module_ends() {
    let source = Source::parse(
        "fn a() {}\n#[cfg(test)]\n#[expect(x)]\nmod tests {\n fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod d;\nfn e() {}",
    );
    let tested = |name: &str| source.is_test(source.code.find(name).expect(name));
    assert_eq!(["fn a", "fn b", "fn c", "mod d", "fn e"].map(tested), [false, true, false, true, false]);
}

#[test]
fn a_group_of_imports_names_each_path() {
    let source = Source::parse("use std::{\n    fs,\n    io::{self, Read},\n};\nuse tokio::time::{sleep, timeout};");
    for path in ["std::fs", "std::io::Read", "time::sleep"] {
        assert_eq!(source.mentions(path).len(), 1, "{path}");
    }
    assert!(source.mentions("std::env").is_empty());
}
