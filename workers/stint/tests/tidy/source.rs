//! One Rust file, read just well enough to tell code, texts, comments and tests apart.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

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
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let end = at + source.token(text, at, rest);
            let blank = if let Some(inside) = source.literals.get(&at) {
                let quote = at + rest.find('"').expect("a literal has a quotation mark");
                quote + 1..quote + 1 + inside.len()
            } else if rest.starts_with('\'') && end > at + 1 {
                at + 1..end - 1
            } else if rest.starts_with("//") || rest.starts_with("/*") {
                at..end
            } else {
                at..at
            };
            for byte in &mut code[blank] {
                *byte = if *byte == b'\n' { b'\n' } else { b' ' };
            }
            at = end;
        }
        source.code = String::from_utf8(code).expect("whole characters were blanked");
        source.tests = tests(&source.code);
        source
    }

    /// The length of what begins at `at`, which it notes when it is a comment or a text.
    fn token(&mut self, text: &str, at: usize, rest: &str) -> usize {
        let first = rest.chars().next().map_or(1, char::len_utf8);
        if rest.starts_with("//") {
            if !rest.starts_with("///") && !rest.starts_with("//!") {
                self.comments.insert(self.line(at));
            }
            return rest.find('\n').unwrap_or(rest.len());
        }
        if rest.starts_with("/*") {
            self.comments.insert(self.line(at));
            return block_comment(rest);
        }
        if rest.starts_with('\'') {
            return character(rest);
        }
        let starts_word = !text[..at].ends_with(is_word);
        let prefix = rest.find(|char| !matches!(char, 'r' | 'b' | 'c')).unwrap_or(0);
        let hashes = rest[prefix..].bytes().take_while(|byte| *byte == b'#').count();
        let quoted = rest[prefix + hashes..].starts_with('"');
        if !quoted || prefix > 2 || (prefix > 0 && !starts_word) || (hashes > 0 && !rest[..prefix].contains('r')) {
            return first;
        }
        let inside = &rest[prefix + hashes + 1..];
        let closing = format!("\"{}", "#".repeat(hashes));
        let length =
            if rest[..prefix].contains('r') { inside.find(&closing).unwrap_or(inside.len()) } else { plain(inside) };
        self.literals.insert(at, inside[..length].to_owned());
        (prefix + hashes + 1 + length + closing.len()).min(rest.len())
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

/// The bytes before the closing quotation mark of a text with escapes.
fn plain(inside: &str) -> usize {
    let mut escaped = false;
    for (at, char) in inside.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    inside.len()
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest.as_bytes()[at..rest.len().min(at + 2)] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// A character such as `'"'`, or the mark of a lifetime alone.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    let Some((_, first)) = chars.next() else { return 1 };
    let Some((second_at, second)) = chars.next() else { return 1 };
    match (first, second) {
        ('\\', _) => second_at + second.len_utf8() + rest[second_at + second.len_utf8()..].find('\'').unwrap_or(0) + 1,
        (_, '\'') => second_at + 1,
        _ => 1,
    }
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
