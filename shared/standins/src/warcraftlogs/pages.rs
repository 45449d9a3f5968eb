//! The site's ranking pages, as HTML.

use std::fmt::Write;

use http::StatusCode;
use jiff::Timestamp;
use stint_core::clock::to_millis;

use super::answers::{Answer, html};
use super::constants::{CLASSES, HIGHEST_DIFFICULTY, PAGE_ROWS};
use super::population::Population;
use crate::random::{Purpose, RandomSequence};

/// The parameters in the path and the query of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PageRequest {
    pub(crate) zone: u32,
    pub(crate) difficulty: u32,
    /// From 1.
    pub(crate) page: u32,
    pub(crate) filters: TableFilters,
}

/// The filters of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableFilters {
    /// Only players ranked by healing, or only those not ranked by it.
    pub healers: Option<bool>,
    /// The partition of the raid's time. Any other than 5 shows about half of the players.
    pub partition: i32,
    /// The size of the group. Any other than 10 and 20 shows about half of the players.
    pub size: u32,
    /// The server, by its id; 0 for all of them.
    pub server: u32,
    /// The region, by its id; 0 for all of them.
    pub region: u32,
}

impl TableFilters {
    /// Returns the filters of the full table, as the original deployment reads it.
    pub fn all(difficulty: u32) -> TableFilters {
        TableFilters { healers: None, partition: ALL_PARTITION, size: usual_size(difficulty), server: 0, region: 0 }
    }

    fn parse(segments: &[&str], difficulty: u32) -> Option<TableFilters> {
        let healers = match segments[1] {
            "hps" | "tankhps" => Some(true),
            "dps" | "bossdps" | "wdps" => Some(false),
            _ => None,
        };
        Some(TableFilters {
            healers,
            partition: segments[5].parse().ok()?,
            size: segments[4]
                .parse()
                .ok()
                .filter(|size| ![0, 10, 20].contains(size))
                .unwrap_or_else(|| usual_size(difficulty)),
            server: segments[9].parse().ok()?,
            region: segments[10].parse().ok()?,
        })
    }
}

/// The partition in the original deployment's URLs.
const ALL_PARTITION: i32 = 5;

fn usual_size(difficulty: u32) -> u32 {
    if difficulty == HIGHEST_DIFFICULTY { 20 } else { 10 }
}

/// The prefix of every table's path.
const TABLE_PATH: &str = "/zone/rankings/table/";
/// Zone, metric, boss, difficulty, size, partition, class, spec, bracket, server, region, subregion, leaderboards.
const SEGMENTS: usize = 13;

/// The markup around the table. It has links that a parser must not mistake for rows.
const HEAD: &str = r#"<div id="header-links"><a target="_blank" href="/character/id/1/">Your character</a> <a href="/reports/aBcDeFgHiJkLmNoP">Last report</a></div>
<table class="summary-table main-table players-table"><thead><tr class="header"><th>Rank</th><th>Name</th><th>Score</th><th>Item Level</th><th>Size</th><th>Date</th><th>Duration</th></tr></thead><tbody>
"#;
const EMPTY: &str = "<tr class=\"\"><td class=\"empty\" colspan=\"7\">No rankings found.</td></tr>\n";

impl PageRequest {
    /// Returns `None` if `uri` is not the URL of a table.
    pub(crate) fn parse(uri: &http::Uri) -> Option<PageRequest> {
        let path = uri.path().strip_prefix(TABLE_PATH)?;
        let segments: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        if segments.len() != SEGMENTS {
            return None;
        }
        let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let mut pages = query.filter(|(name, _)| name == "page").map(|(_, page)| page.parse().ok());
        let page = pages.next().unwrap_or(Some(1))?;
        let difficulty = segments[3].parse().ok()?;
        let filters = TableFilters::parse(&segments, difficulty)?;
        Some(PageRequest { zone: segments[0].parse().ok()?, difficulty, page, filters })
    }
}

/// Returns the requested page, or the empty page past the end.
pub(crate) fn table(population: &Population, seed: u64, started: Timestamp, asked: PageRequest) -> Answer {
    let rows = population.filtered_table(asked.zone, asked.difficulty, asked.filters);
    let first = (asked.page.max(1) as usize - 1).saturating_mul(PAGE_ROWS);
    let shown = rows.get(first..rows.len().min(first.saturating_add(PAGE_ROWS))).unwrap_or(&[]);
    let mut page = String::with_capacity(1_500 + 1_200 * shown.len());
    page.push_str(HEAD);
    for (player, rank) in shown.iter().zip(first + 1..) {
        row(&mut page, population, RandomSequence::of(seed, Purpose::Row, rank as u64), started, *player, rank);
    }
    if shown.is_empty() {
        page.push_str(EMPTY);
    }
    page.push_str("</tbody></table>\n");
    pager(&mut page, asked.page, first.saturating_add(PAGE_ROWS) >= rows.len());
    html(StatusCode::OK, page)
}

fn row(
    page: &mut String,
    population: &Population,
    mut draw: RandomSequence,
    started: Timestamp,
    player: u32,
    rank: usize,
) {
    let profile = population.profile(player);
    let (realm, id) = (population.realm(&profile), population.id(player));
    let class = CLASSES[profile.class_id as usize - 1].slug;
    let name = escape(&population.name(player, &profile));
    let slash = if draw.per_mille(500) { "/" } else { "" };
    let (guild, faction) = (draw.within(1_000, 900_000), draw.below(2));
    let (realm_name, region, slug) = (escape(realm.name), realm.region, realm.slug);
    let guilded = !draw.per_mille(150);
    let _ = writeln!(
        page,
        r#"<tr class="" id="row-{rank}-{id}"><td class="rank">{rank}</td><td class="main-table-name"><div class="players-table-name"><img class="sprite actor-sprite-{class}" src="/img/blank.png" alt=""><a class="main-table-link main-table-player {class}" href="/character/{region}/{slug}/{name}#zone=x&amp;metric=playerspeed">{name}</a><a target="_blank" rel="noopener" href="/character/id/{id}{slash}"><img class="icon" src="/img/external.png" alt=""></a></div>"#,
    );
    page.push_str("<div class=\"players-table-guild-and-realm\">");
    if guilded {
        let _ = write!(
            page,
            r#"<a class="players-table-guild faction-{faction}" href="/guild/id/{guild}">Guild &lt;{guild}&gt; &amp; Friends</a>"#
        );
    }
    let _ = write!(
        page,
        r#"<a class="players-table-realm" href="/server/id/{}">{realm_name} ({region})</a></div></td>"#,
        realm.id
    );
    cells(page, &mut draw, started, rank);
}

fn cells(page: &mut String, draw: &mut RandomSequence, started: Timestamp, rank: usize) {
    let score = 1_000_000usize.saturating_sub(rank);
    let (item_level, size) = (draw.within(200, 280), draw.within(10, 30));
    let date = to_millis(started) - draw.below(90 * 24 * 3_600_000) as i64;
    let (minutes, seconds, report) = (draw.within(15, 90), draw.below(60), draw.bits());
    let _ = writeln!(
        page,
        r#"<td class="main-table-number primary">{score}</td><td class="main-table-ilvl">{item_level}</td><td class="main-table-size">{size}</td><td class="main-table-date"><span style="display:none">{date}</span><a target="_blank" href="/reports/{report:016x}#fight=last">Report</a></td><td class="main-table-duration">{minutes}:{seconds:02}</td></tr>"#,
    );
}

fn pager(page: &mut String, number: u32, last: bool) {
    let (class, disabled) = if last { (" disabled", "true") } else { ("", "false") };
    let next = number.saturating_add(1);
    let _ = write!(
        page,
        r##"<ul class="pagination" role="navigation"><li class="page-item active" aria-current="page"><span class="page-link">{number}</span></li><li class="page-item{class}" aria-disabled="{disabled}"><a class="page-link" rel="next" href="#page={next}">Next</a></li></ul>"##,
    );
}

/// Escapes text for HTML elements and attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#039;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_zone_difficulty_and_page() {
        let parse = |uri: &str| PageRequest::parse(&uri.parse().expect("a uri"));
        let asked = parse("/zone/rankings/table/29/playerspeed/-1/4/10/5/Any/Any/0/0/0/0/0/?search=&page=17");
        let filters = TableFilters::all(4);
        assert_eq!(asked, Some(PageRequest { zone: 29, difficulty: 4, page: 17, filters }));
        let filters = parse("/zone/rankings/table/29/hps/-1/5/25/2/Any/Any/0/304/1/0/0/?page=17");
        let expected = TableFilters { healers: Some(true), partition: 2, size: 25, server: 304, region: 1 };
        assert_eq!(filters.map(|asked| asked.filters), Some(expected));
        let first = parse("http://host/zone/rankings/table/29/dps/-1/4/10/5/Any/Any/0/0/0/0/0");
        assert_eq!(first.map(|asked| asked.page), Some(1));
        assert_eq!(parse("/zone/rankings/table/29/playerspeed/-1/4/?page=1"), None);
        assert_eq!(parse("/zone/rankings/table/29/playerspeed/-1/4/10/5/Any/Any/0/0/0/0/0/?page=x"), None);
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(escape("Kel'Thuzad <&>"), "Kel&#039;Thuzad &lt;&amp;&gt;");
    }
}
