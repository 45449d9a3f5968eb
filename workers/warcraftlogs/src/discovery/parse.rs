//! Parses a ranking page.
//!
//! A row is a `tr` whose id begins with `row-`. Its name cell has the link to the character, `/character/id/57147396`,
//! with or without a slash at the end. The row also links to a guild and a report, and the page has links to characters
//! outside of rows; none of these count.

use html5gum::{Emitter, Readable, Reader, Tokenizer};

use super::rows::{PageStep, RankingPage, Rows};

/// The result of parsing a ranking page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParsedPage {
    /// It has a table.
    Table(RankingPage),
    /// It has no table: a challenge, an error page, a page in another format.
    NotATable,
    /// Parsing took too long.
    TimedOut,
}

/// Parses a page with an HTML tokenizer, not by searching for text.
pub fn parse(html: &[u8]) -> ParsedPage {
    parse_until_cancelled(html, || true)
}

/// Parses a page until `go_on`, called every few thousand tags, returns `false`.
pub(super) fn parse_until_cancelled(html: &[u8], go_on: impl Fn() -> bool) -> ParsedPage {
    steps(Tokenizer::new_with_emitter(html, Rows::default()), go_on)
}

fn steps<'a, R, E>(tokenizer: Tokenizer<R, E>, go_on: impl Fn() -> bool) -> ParsedPage
where
    R: Reader + Readable<'a>,
    E: Emitter<Token = PageStep>,
{
    // Reading bytes in memory cannot fail.
    for step in tokenizer.map_while(Result::ok) {
        match step {
            PageStep::Tags if !go_on() => break,
            PageStep::Tags => {}
            PageStep::End(Some(page)) => return ParsedPage::Table(page),
            PageStep::End(None) => return ParsedPage::NotATable,
        }
    }
    ParsedPage::TimedOut
}

#[cfg(test)]
mod tests;
