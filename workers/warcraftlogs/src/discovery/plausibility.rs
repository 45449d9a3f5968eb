//! Detects implausible pages and passes, as from a site that has changed or that fails without saying so.
//!
//! A rule with a wrong result that is accepted counts as read, and its players vanish from the databases without an
//! error. So a result is accepted only if it is consistent with everything else that is known: the pager of the page
//! before, the pages after it, and the last pass.

use std::fmt;

use super::PageResult;
use crate::store::{Claim, Pass, PassSummary};

/// A pass is implausible if it finds fewer players than the last pass did, divided by this.
const MIN_FRACTION_OF_LAST: u64 = 10;

/// A pass that lists only what is new must be expected to find at least this many players before finding few is more
/// than chance.
const SIGNIFICANT_PLAYERS: u64 = 100;

/// Why a page or a pass is implausible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Implausibility {
    /// The first page names no player.
    FirstPage { page: u32 },
    /// Rows do not name players as they should.
    Rows { page: u32, reason: String },
    /// A page without rows comes before one with rows.
    Gap { page: u32, later: u32 },
    /// A page is missing that another page said exists.
    Announced { page: u32 },
    /// The pages end long before those of the last pass.
    Short { page: u32, last: u32 },
    /// The pass found far fewer players than the last one.
    Few { players: u64, last: u64 },
}

impl fmt::Display for Implausibility {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Implausibility::FirstPage { page } => {
                write!(formatter, "page {page}, the first of the rule, names no player")
            }
            Implausibility::Rows { page, reason } => write!(formatter, "page {page} {reason}"),
            Implausibility::Gap { page, later } => write!(formatter, "page {page} has no rows, and page {later} has"),
            Implausibility::Announced { page } => {
                write!(formatter, "page {page} has no rows, and the page before it says that there are more")
            }
            Implausibility::Short { page, last } => {
                write!(formatter, "page {page} has no rows, and the last pass had rows up to page {last}")
            }
            Implausibility::Few { players, last } => {
                write!(formatter, "the pass found {players} players, the last one {last}")
            }
        }
    }
}

/// Why `page` is implausible, before `pass` takes it in. Pages of a rule that an operator has accepted never are, and a
/// source that lists what is new may list nothing.
pub(crate) fn of_page(claim: &Claim, pass: &Pass, page: u32, found: &PageResult) -> Option<Implausibility> {
    if claim.accepted || pass.seen.span.is_some() {
        return None;
    }
    let first = page == claim.rule.start_page && !is_known_to_be_empty(claim);
    match found {
        PageResult::Unreadable { reason, .. } => Some(Implausibility::Rows { page, reason: reason.clone() }),
        PageResult::Rows(rows) if first && rows.players.is_empty() => Some(Implausibility::FirstPage { page }),
        PageResult::Rows(rows) => {
            let end = pass.end?;
            let is_announced = rows.more && end == page + 1;
            let gap = (end < page).then_some(Implausibility::Gap { page: end, later: page });
            gap.or(is_announced.then_some(Implausibility::Announced { page: end }))
        }
        PageResult::PastTheEnd { .. } if first => Some(Implausibility::FirstPage { page }),
        PageResult::PastTheEnd { .. } => missing(claim, pass, page),
        PageResult::Part { .. } => None,
    }
}

/// Why an end of the pages at `page` is implausible.
fn missing(claim: &Claim, pass: &Pass, page: u32) -> Option<Implausibility> {
    let PassSummary { last_page, last_announced_page, .. } = pass.seen;
    if last_page > page {
        return Some(Implausibility::Gap { page, later: last_page });
    }
    if last_announced_page >= page {
        return Some(Implausibility::Announced { page });
    }
    let last = claim.last.map_or(0, |last| last.last_page);
    // Before half of the pages: a ranking loses players, but gradually.
    let read = page - claim.rule.start_page;
    let read_then = (last + 1).saturating_sub(claim.rule.start_page);
    (read * 2 < read_then).then_some(Implausibility::Short { page, last })
}

/// Whether the last finished pass found no players, which means that an operator has accepted it.
fn is_known_to_be_empty(claim: &Claim) -> bool {
    claim.last.is_some_and(|last| last.players == 0)
}

/// Why a pass that has read everything is implausible.
pub(crate) fn of_pass(claim: &Claim, pass: &Pass) -> Option<Implausibility> {
    let last = claim.last.filter(|_| !claim.accepted)?;
    let players = pass.seen.players;
    let expected = match (pass.seen.span, last.span) {
        (None, None) => last.players,
        // The longer the time a pass covers, the more players it lists; never more than there are.
        (Some(span), Some(last_span)) => {
            let expected = last.players.saturating_mul(span.min(last_span)) / last_span.max(1);
            if expected >= SIGNIFICANT_PLAYERS { expected } else { 0 }
        }
        // Nothing can be concluded from another source's pass.
        _ => 0,
    };
    (players.saturating_mul(MIN_FRACTION_OF_LAST) < expected)
        .then_some(Implausibility::Few { players, last: last.players })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::PageRows;
    use super::*;
    use crate::store::Rule;

    fn claim(last: Option<PassSummary>) -> Claim {
        let rule =
            Rule { id: "0".repeat(24), raid: 26, difficulty: 4, start_page: 1, end_page: 600, ..Rule::default() };
        Claim { rule, pass: None, listed_until: None, last, accepted: false, frozen_since: None, lease: 1 }
    }

    fn pass(end: Option<u32>, seen: PassSummary) -> Pass {
        Pass { started_at: Timestamp::UNIX_EPOCH, chunks: Vec::new(), end, seen }
    }

    fn rows(players: &[u64]) -> PageResult {
        PageResult::Rows(PageRows { players: players.to_vec(), more: true })
    }

    const PAST: PageResult = PageResult::PastTheEnd { sample: None };

    #[test]
    fn an_end_is_accepted_unless_contradicted() {
        let seen =
            |last_page, last_announced_page| PassSummary { players: 900, last_page, last_announced_page, span: None };
        let last = |last_page| Some(PassSummary { players: 60_000, last_page, ..PassSummary::default() });
        let cases = [
            (None, seen(200, 0), None),
            (None, seen(200, 200), None),
            (None, seen(401, 0), Some(Implausibility::Gap { page: 201, later: 401 })),
            (None, seen(200, 201), Some(Implausibility::Announced { page: 201 })),
            (last(600), seen(200, 200), Some(Implausibility::Short { page: 201, last: 600 })),
            (last(400), seen(200, 200), None),
        ];
        for (last, seen, expected) in cases {
            assert_eq!(of_page(&claim(last), &pass(None, seen), 201, &PAST), expected);
        }
        let with_end = |page| of_page(&claim(None), &pass(Some(201), seen(199, 0)), page, &rows(&[7]));
        assert_eq!(with_end(401), Some(Implausibility::Gap { page: 201, later: 401 }));
        assert_eq!(with_end(200), Some(Implausibility::Announced { page: 201 }));
        assert_eq!(with_end(199), None);
    }

    #[test]
    fn an_empty_first_page_is_implausible_unless_the_last_pass_was_empty() {
        let begun = pass(None, PassSummary::default());
        let expected = Some(Implausibility::FirstPage { page: 1 });
        assert_eq!(of_page(&claim(None), &begun, 1, &PAST), expected);
        assert_eq!(of_page(&claim(None), &begun, 1, &rows(&[])), expected);
        assert_eq!(of_page(&claim(None), &begun, 1, &rows(&[7])), None);
        assert_eq!(of_page(&claim(None), &begun, 2, &rows(&[])), None);
        assert_eq!(of_page(&claim(Some(PassSummary::default())), &begun, 1, &PAST), None);
        assert_eq!(of_page(&Claim { accepted: true, ..claim(None) }, &begun, 1, &PAST), None);
        let listing = pass(None, PassSummary { span: Some(86_400), ..PassSummary::default() });
        assert_eq!(of_page(&claim(None), &listing, 1, &PAST), None);
    }

    #[test]
    fn a_pass_with_under_a_tenth_of_the_last_players_is_implausible() {
        let few = |last: PassSummary, now: PassSummary| of_pass(&claim(Some(last)), &pass(None, now));
        let full_pass = |players| PassSummary { players, ..PassSummary::default() };
        let listed = |players, hours: u64| PassSummary { players, span: Some(hours * 3600), ..PassSummary::default() };
        assert_eq!(few(full_pass(60_000), full_pass(6_000)), None);
        assert_eq!(
            few(full_pass(60_000), full_pass(5_999)),
            Some(Implausibility::Few { players: 5_999, last: 60_000 })
        );
        assert_eq!(few(full_pass(5), full_pass(0)), Some(Implausibility::Few { players: 0, last: 5 }));
        assert_eq!(few(full_pass(60_000), listed(5, 30)), None);
        assert_eq!(few(listed(7_000, 168), listed(120, 24)), None);
        assert_eq!(few(listed(7_000, 168), listed(99, 24)), Some(Implausibility::Few { players: 99, last: 7_000 }));
        assert_eq!(few(listed(600, 168), listed(0, 24)), None, "86 are too few to tell");
        assert_eq!(of_pass(&claim(None), &pass(None, full_pass(0))), None);
    }
}
