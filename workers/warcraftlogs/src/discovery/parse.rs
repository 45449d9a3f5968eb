//! Reading a ranking page.
//!
//! A row is a `tr` whose id begins with `row-`. In its name cell is the link to the character,
//! `/character/id/57147396`, with or without a slash at the end; the row also links to a guild and a report, and the
//! page to characters outside of rows, none of which count.

use html5gum::{Emitter, Readable, Reader, Tokenizer};

use super::rows::{RankingPage, Rows, Step};

/// What a ranking page says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParsedPage {
    /// It has a table.
    Table(RankingPage),
    /// It has none: a challenge, an error page, a page of another make.
    NotATable,
    /// Reading it took too long.
    GivenUp,
}

/// Reads a page, by a tokenizer that knows HTML and not by searching for text.
pub fn parse(html: &[u8]) -> ParsedPage {
    parse_while(html, || true)
}

/// Reads a page as long as `go_on` says so, which is asked every few thousand tags.
pub(super) fn parse_while(html: &[u8], go_on: impl Fn() -> bool) -> ParsedPage {
    steps(Tokenizer::new_with_emitter(html, Rows::default()), go_on)
}

fn steps<'a, R, E>(tokenizer: Tokenizer<R, E>, go_on: impl Fn() -> bool) -> ParsedPage
where
    R: Reader + Readable<'a>,
    E: Emitter<Token = Step>,
{
    // Bytes in memory can be read without fail.
    for step in tokenizer.map_while(Result::ok) {
        match step {
            Step::Tags if !go_on() => break,
            Step::Tags => {}
            Step::End(Some(page)) => return ParsedPage::Table(page),
            Step::End(None) => return ParsedPage::NotATable,
        }
    }
    ParsedPage::GivenUp
}

#[cfg(test)]
mod tests;
