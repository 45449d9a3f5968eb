//! Pages in the right format, in other formats, and hostile ones.

use std::cell::Cell;
use std::rc::Rc;

use html5gum::ForwardingEmitter;
use proptest::prelude::*;

use super::*;

fn row(number: u32, links: &str) -> String {
    format!(
        r##"<tr id="row-{number}" class=""><td class="rank">{number}</td><td class="main-table-name">
        <div class="players-table-name"><img class="sprite">{links}</div><div class="players-table-guild-and-realm"><a
        class="players-table-guild faction-1" href="/guild/id/99">Guild</a><a class="players-table-realm"
        href="/server/id/7">Tarren Mill (EU)</a></div></td><td><a href="/reports/abc#fight=3">x</a></td></tr>"##
    )
}

fn link(href: &str) -> String {
    format!(r#"<a class="main-table-player Mage" href="{href}" target="_blank">&Aring;nn</a>"#)
}

fn page(rows: &str) -> String {
    format!(
        r#"<html><body><a href="/character/id/1">you</a><table id="t"><tbody>{rows}</tbody></table>
        <a href="/character/id/2">another character</a></body></html>"#
    )
}

fn read(html: &str) -> ParsedPage {
    parse(html.as_bytes())
}

fn table(html: &str) -> RankingPage {
    match read(html) {
        ParsedPage::Table(page) => page,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_row_names_one_character_with_or_without_a_slash() {
    let rows = row(1, &link("https://x.example/character/id/57147396/")) + &row(2, &link("/character/id/42"));
    let expected = RankingPage { players: vec![57_147_396, 42], rows: 2, by_name: 0, more: false };
    assert_eq!(table(&page(&rows)), expected);
}

#[test]
fn a_hidden_row_is_a_row_without_a_character() {
    let rows = row(1, &link("/reports/a:1")) + &row(2, &link("/character/id/42?zone=26"));
    assert_eq!(table(&page(&rows)), RankingPage { players: vec![42], rows: 2, by_name: 0, more: false });
}

#[test]
fn a_row_that_names_a_character_without_its_id_is_told_apart() {
    let by_name = link("/character/eu/tarren-mill/%C3%85nn#zone=26");
    let rows =
        row(1, &by_name) + &row(2, &(by_name.clone() + &link("/character/id/42"))) + &row(3, &link("/character/id/0"));
    assert_eq!(table(&page(&rows)), RankingPage { players: vec![42], rows: 3, by_name: 1, more: false });
}

#[test]
fn a_table_without_rows_has_none_and_no_table_is_no_page() {
    assert_eq!(table(&page("<tr><td>No rankings</td></tr>")), RankingPage::default());
    assert_eq!(table(&page("<tr id='line-1'><td><a href='/character/id/5'>x</a></td></tr>")).rows, 0);
    assert_eq!(read("<html><title>Just a moment...</title></html>"), ParsedPage::NotATable);
    assert_eq!(read("<script>'<table><tr id=row-1>'</script><!-- <table> -->"), ParsedPage::NotATable);
    assert_eq!(read(""), ParsedPage::NotATable);
}

#[test]
fn rows_end_where_others_begin_whatever_is_left_open() {
    let open = "<table><tr id=row-1><td><a href=/character/id/7>x<tr id=row-2><td><a href=/character/id/8>";
    assert_eq!(table(open).players, [7, 8]);
    let nested = "<table><tr id=row-1><td><table><tr><td>x</table><a href=/character/id/9>y</a></table>";
    assert_eq!((table(nested).players, table(nested).rows), (vec![], 1));
}

#[test]
fn the_pager_says_whether_there_is_more_and_nothing_else_does() {
    let item = |attributes: &str, link: &str| format!("<ul><li class='page-item' {attributes}>{link}</li></ul>");
    let next = "<a class='page-link' rel='next' href='#page=2'>Next</a>";
    let more = |pager: &str| table(&format!("{}{pager}", page(&row(1, "")))).more;
    assert!(more(&item("", next)));
    assert!(more(&(item("aria-disabled='true'", "<span>Previous</span>") + &item("aria-disabled='false'", next))));
    assert!(!more(&item("aria-disabled='true'", next)));
    assert!(!more(&item("aria-disabled='true'", "<span>Next</span>")));
    let full: String = (1..=100).map(|number| row(number, "")).collect();
    assert!(!table(&page(&full)).more);
    assert!(!table(&(page(&full) + next)).more);
}

#[test]
fn a_page_is_given_up_when_there_is_no_more_time() {
    let asked = Cell::new(0);
    let go_on = || {
        asked.set(asked.get() + 1);
        asked.get() < 3
    };
    assert_eq!(parse_until_cancelled("<b>".repeat(100_000).as_bytes(), go_on), ParsedPage::TimedOut);
    assert_eq!(asked.get(), 3);
}

/// Counts the tokenizer's calls to the rows.
struct Counted {
    rows: Rows,
    asked: Rc<Cell<usize>>,
}

impl ForwardingEmitter for Counted {
    type Token = PageStep;

    fn inner(&mut self) -> &mut impl Emitter<Token = PageStep> {
        self.asked.set(self.asked.get() + 1);
        &mut self.rows
    }
}

/// The cost of parsing `html`, in calls by the tokenizer. Each call takes time linear in its bytes.
fn work(html: &[u8]) -> usize {
    let asked = Rc::new(Cell::new(0));
    let counted = Counted { rows: Rows::default(), asked: asked.clone() };
    steps(Tokenizer::new_with_emitter(html, counted), || true);
    asked.get()
}

/// Upper bound on the tokenizer's calls to the rows for one byte: 11 were seen, for `<` alone.
const MOST_FOR_A_BYTE: usize = 12;

/// Pages that are cheap to send and slow for some parser, as a piece to be repeated.
const HOSTILE: [(&str, &str); 14] = [
    ("", "<div><b><a href=/x>"),
    ("<table>", "<tr id=row-1><td><table>"),
    ("<table>", "<tr id=row-1><td><a href=/character/id/5>"),
    ("<a ", "x=1 "),
    ("<tr ", "id=row- "),
    ("<tr id=", "row-"),
    ("", "<"),
    ("", "</"),
    ("", "&"),
    ("", "&notit;"),
    ("&#", "9"),
    ("<script>", "</scrip"),
    ("<!--", "--!"),
    ("<!DOCTYPE ", "<![CDATA["),
];

#[test]
fn hostile_pages_take_no_more_than_their_length() {
    for (start, piece) in HOSTILE {
        let of = |times: usize| {
            let html = start.to_owned() + &piece.repeat(times);
            (work(html.as_bytes()), html.len())
        };
        let ((work, bytes), (twice, _)) = (of(20_000), of(40_000));
        assert!(work <= MOST_FOR_A_BYTE * bytes + 64, "{start}{piece}…: {work} for {bytes} bytes");
        assert!(twice <= 2 * work + 64, "{start}{piece}…: {work}, and {twice} for twice as long a page");
    }
}

#[test]
fn two_hundred_thousand_open_tags_fit_on_a_small_stack() {
    let on_a_small_stack = || {
        let open = "<div><b>".repeat(100_000);
        let nested = page(&"<tr id=row-1><td><table>".repeat(20_000));
        (read(&open), table(&nested).rows)
    };
    let thread = std::thread::Builder::new().stack_size(64 * 1024).spawn(on_a_small_stack).unwrap();
    assert_eq!(thread.join().unwrap(), (ParsedPage::NotATable, 20_000));
}

/// A good page with pieces of itself, or hostile pieces, in wrong places.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let good = page(&(1..=5).map(|number| row(number, &link("/character/id/57147396"))).collect::<String>());
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12),
        prop::sample::select(HOSTILE.to_vec()).prop_map(|(start, piece)| (start.to_owned() + piece).into_bytes()),
        Just(b"</table><tr id=\"row-7\">".to_vec()),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, piece), 1..12).prop_map(move |changes| {
        let mut page = good.clone().into_bytes();
        for (at, cut, piece) in changes {
            let at = at.index(page.len() + 1);
            page.splice(at..page.len().min(at + cut), piece);
        }
        page
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_mutated_page_is_read_to_its_end_within_its_length(html in mutated()) {
        let read = parse(&html);
        prop_assert!(read != ParsedPage::TimedOut);
        if let ParsedPage::Table(page) = read {
            prop_assert!(page.players.len() + page.by_name as usize <= page.rows as usize);
        }
        prop_assert!(work(&html) <= MOST_FOR_A_BYTE * html.len() + 64, "{}", work(&html));
    }

    #[test]
    fn any_bytes_are_read_to_their_end(html in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(parse(&html) != ParsedPage::TimedOut);
    }
}
