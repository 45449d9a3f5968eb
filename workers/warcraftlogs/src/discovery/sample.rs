//! Outline of a page: enough for an operator to see what the site has changed, and nothing secret.
//!
//! It has the tags with their id, class and link, and the beginning of their text. Scripts, styles, comments, form
//! fields, other attributes, and the queries of links are left out, since they contain session tokens, and so is
//! everything that looks like a token.

use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

/// Longest outline of a page.
const LARGEST_SAMPLE: usize = 8 * 1024;

/// How much of a page is read for it.
const LARGEST_PAGE: usize = 512 * 1024;

/// Longest text or attribute kept.
const LONGEST_TEXT: usize = 80;

/// A run of letters and digits of this length is taken for a token.
const TOKEN_CHARACTERS: usize = 24;

/// Replaces what was taken out.
const REMOVED: &str = "[removed]";

/// Elements that show nothing on a page.
const LEFT_OUT: [&[u8]; 8] = [b"script", b"style", b"noscript", b"template", b"textarea", b"meta", b"input", b"link"];

/// Attributes that identify an element.
const ATTRIBUTES: [&[u8]; 5] = [b"id", b"class", b"href", b"rel", b"aria-disabled"];

/// Outline of a page, starting at its first table if it has one.
pub(super) fn outline(html: &[u8]) -> String {
    let html = &html[..html.len().min(LARGEST_PAGE)];
    let start = position(html, b"<table").unwrap_or_default();
    let mut outline = Outline::default();
    {
        let draw = |event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
            outline.take(&event);
            None
        };
        let mut emitter = CallbackEmitter::new(draw);
        emitter.naively_switch_states(true);
        // Reading bytes in memory cannot fail.
        let _ = Tokenizer::new_with_emitter(&html[start..], emitter).finish();
    }
    outline.text
}

#[derive(Default)]
struct Outline {
    text: String,
    left_out: bool,
    attribute: Vec<u8>,
    full: bool,
}

impl Outline {
    fn take(&mut self, event: &CallbackEvent<'_>) {
        if self.full {
            return;
        }
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.left_out = LEFT_OUT.contains(name);
                self.text.push_str(&format!("<{}", clean(name)));
            }
            CallbackEvent::AttributeName { name } => self.attribute = name.to_vec(),
            CallbackEvent::AttributeValue { value } if self.shows_attribute() => {
                let (name, value) = (clean(&self.attribute), clean(without_query(value)));
                self.text.push_str(&format!(" {name}=\"{value}\""));
            }
            CallbackEvent::CloseStartTag { .. } => self.text.push('>'),
            CallbackEvent::EndTag { name } => {
                self.left_out = false;
                self.text.push_str(&format!("</{}>", clean(name)));
            }
            CallbackEvent::String { value } if !self.left_out => self.text.push_str(&clean(value)),
            _ => {}
        }
        if self.text.len() >= LARGEST_SAMPLE {
            self.full = true;
            self.text.push('…');
        }
    }

    fn shows_attribute(&self) -> bool {
        !self.left_out && ATTRIBUTES.contains(&self.attribute.as_slice())
    }
}

/// The position of `piece` in `html`, ignoring case.
fn position(html: &[u8], piece: &[u8]) -> Option<usize> {
    html.windows(piece.len()).position(|window| window.eq_ignore_ascii_case(piece))
}

fn without_query(link: &[u8]) -> &[u8] {
    link.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default()
}

/// The beginning of a text in one line, without anything that looks like a token.
fn clean(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut words = String::new();
    for word in text.split_whitespace() {
        if words.len() >= LONGEST_TEXT {
            words.push('…');
            break;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(&without_tokens(word));
    }
    words
}

fn without_tokens(word: &str) -> String {
    let is_part = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '=' | '+');
    let mut clean = String::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|character| is_part(character) != is_part(first)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(length);
        let is_token = is_part(first) && run.len() >= TOKEN_CHARACTERS && run.bytes().any(|byte| byte.is_ascii_digit());
        let printable =
            |run: &str| run.chars().filter(|character| !character.is_control()).take(LONGEST_TEXT).collect();
        clean.push_str(&if is_token { REMOVED.to_owned() } else { printable(run) });
        rest = after;
    }
    clean
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_outline_shows_rows_and_links_and_nothing_of_the_session() {
        let page = r##"<html><head><meta name="csrf-token" content="Zx81kQ0pVb3rT9yLmN2cHs7d"><script>
            var session = "s3cr3t";</script></head><body><form><input name="_token" value="hunter2"></form>
            <table class="main"><!-- build 17 --><tr id="line-1" data-key="hunter2"><td>1</td><td>
            <a href="/character/eu/tarren-mill/%C3%85nn?token=hunter2#zone=26">Ånn</a></td>
            <script>hunter2()</script><td>eyJhbGciOiJIUzI1NiJ9abcdef012345</td></tr></table></body></html>"##;
        let expected = concat!(
            r#"<table class="main"><tr id="line-1"><td>1</td><td><a href="/character/eu/tarren-mill/%C3%85nn">Ånn</a></td>"#,
            "<script></script><td>[removed]</td></tr></table></body></html>"
        );
        assert_eq!(outline(page.as_bytes()), expected);
    }

    #[test]
    fn an_outline_is_short_whatever_the_page() {
        for piece in ["<table><tr id=row-1><td>x", "<p>text ", "a", "<a href='/x/y/z'>", "<", "<b class=x"] {
            let outline = outline(piece.repeat(100_000).as_bytes());
            assert!(outline.len() <= 2 * LARGEST_SAMPLE, "{piece}: {}", outline.len());
        }
        assert_eq!(outline(b""), "");
    }

    proptest! {
        #[test]
        fn an_outline_of_anything_is_one_printable_line(html in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let outline = outline(&html);
            prop_assert!(outline.chars().all(|character| !character.is_control()), "{outline:?}");
        }
    }
}
