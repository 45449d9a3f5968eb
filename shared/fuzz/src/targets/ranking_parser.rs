//! A ranking page, with its parser alone.

use stint_warcraftlogs::discovery::{ParsedPage, RankingPage, parse};

pub(crate) fn run(input: &[u8]) {
    let ParsedPage::Table(page) = parse(input) else { return };
    let RankingPage { players, rows, by_name, .. } = &page;
    let named = players.len() + *by_name as usize;
    assert!(named <= *rows as usize, "{named} of {rows} rows name a character");
    let tags = input.iter().filter(|byte| **byte == b'<').count();
    assert!((*rows as usize) < tags, "{rows} rows in {tags} tags, of which one is the table's");
    assert!(players.iter().all(|id| *id > 0), "0 is not an id");
    assert_eq!(parse(input), ParsedPage::Table(page), "the same page twice");
}
