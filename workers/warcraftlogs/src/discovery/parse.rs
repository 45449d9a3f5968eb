//! Reading a ranking page.
//!
//! A row is a `tr` whose id begins with `row-`. In its name cell is the link to the character,
//! `/character/id/57147396`, with or without a slash at the end; the row also links to a guild and a report, and the
//! page to characters outside of rows, none of which count.

use crate::model::PlayerId;

/// What a ranking page says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParsedPage {
    /// It has rows; the characters that they name, in order, hidden ones left out.
    Rows(Vec<PlayerId>),
    /// It is a ranking table without a row: past the end.
    Empty,
    /// It is something else: a challenge, an error page, a page of another make.
    NotATable,
}

/// What a character's link goes to.
const CHARACTER_PATH: &str = "/character/id/";

/// Reads a page, by a parser that knows HTML and not by searching for text.
pub fn parse(html: &str) -> ParsedPage {
    let Ok(dom) = tl::parse(html, tl::ParserOptions::default()) else { return ParsedPage::NotATable };
    let parser = dom.parser();
    let mut table = false;
    let mut rows = 0;
    let mut players = Vec::new();
    for node in dom.nodes() {
        let Some(tag) = node.as_tag() else { continue };
        table |= tag.name() == "table";
        if tag.name() == "tr" && is_row(tag) {
            rows += 1;
            players.extend(character_of(tag, parser));
        }
    }
    match (table, rows) {
        (true, 0) => ParsedPage::Empty,
        (true, _) => ParsedPage::Rows(players),
        (false, _) => ParsedPage::NotATable,
    }
}

fn is_row(tag: &tl::HTMLTag<'_>) -> bool {
    tag.attributes().id().is_some_and(|id| id.as_bytes().starts_with(b"row-"))
}

fn character_of(row: &tl::HTMLTag<'_>, parser: &tl::Parser<'_>) -> Option<PlayerId> {
    let children = row.children();
    let mut links = children.all(parser).iter().filter_map(tl::Node::as_tag).filter(|tag| tag.name() == "a");
    links.find_map(|link| character_id(&link.attributes().get("href")??.as_utf8_str()))
}

/// The id in `…/character/id/57147396`, with a slash at the end or without.
fn character_id(link: &str) -> Option<PlayerId> {
    let (_, rest) = link.split_once(CHARACTER_PATH)?;
    let id = rest.split(['/', '?', '#']).next()?;
    id.parse().ok().filter(|id| *id > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u32, link: &str) -> String {
        format!(
            r##"<tr id="row-{number}" class=""><td class="rank">{number}</td><td class="main-table-name">
            <div class="players-table-name"><img class="sprite"><a class="main-table-player Mage" href="{link}"
            target="_blank">&Aring;nn</a></div><div class="players-table-guild-and-realm"><a
            class="players-table-guild faction-1" href="/guild/id/99">Guild</a><a class="players-table-realm"
            href="/server/id/7">Tarren Mill (EU)</a></div></td><td><a href="/reports/abc#fight=3">x</a></td></tr>"##
        )
    }

    fn page(rows: &str) -> String {
        format!(
            r#"<html><body><a href="/character/id/1">you</a><table id="t"><tbody>{rows}</tbody></table></body></html>"#
        )
    }

    #[test]
    fn each_row_names_one_character_with_or_without_a_slash() {
        let rows = row(1, "https://x.example/character/id/57147396/") + &row(2, "/character/id/42");
        assert_eq!(parse(&page(&rows)), ParsedPage::Rows(vec![57_147_396, 42]));
    }

    #[test]
    fn a_hidden_row_is_a_row_without_a_character() {
        let rows = row(1, "/reports/a:1") + &row(2, "/character/id/42?zone=26");
        assert_eq!(parse(&page(&rows)), ParsedPage::Rows(vec![42]));
    }

    #[test]
    fn a_table_without_rows_is_past_the_end_and_no_table_is_no_page() {
        assert_eq!(parse(&page("<tr><td>No rankings</td></tr>")), ParsedPage::Empty);
        assert_eq!(parse("<html><title>Just a moment...</title></html>"), ParsedPage::NotATable);
        assert_eq!(parse(""), ParsedPage::NotATable);
    }
}
