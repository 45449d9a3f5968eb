//! A ranking page as discovery reads it: with its status, a challenge in its place, and the stored outline of its text.

use std::sync::Arc;
use std::time::Duration;

use stint_core::circuit::CircuitSettings;
use stint_http::{Breaker, Client, MemoryBreakers};
use stint_testkit::drive;
use stint_warcraftlogs::discovery::{
    BreakerGuardedPages, PageResult, PlayerSource, RankingPages, SITE, SourceError, WithoutServerIds,
};
use stint_warcraftlogs::store::{Claim, Pass, PassSummary, Rule};

use crate::upstream::{Script, answer, clock, first, status, with_header};

/// The limit of an outline, with room for the last text.
const LARGEST_SAMPLE: usize = 9 * 1024;

const SETTINGS: CircuitSettings = CircuitSettings::for_calls_of(Duration::from_secs(60));

pub(crate) fn run(input: &[u8]) {
    let (choice, html) = first(input);
    let mut page = answer(status(choice), html);
    if choice & 0x80 != 0 {
        with_header(&mut page, "cf-mitigated", b"challenge");
    }
    let clock = clock();
    let breaker = Breaker::new(SITE, Arc::new(MemoryBreakers::default()), Arc::new(clock.clone()), SETTINGS);
    let breaker = Arc::new(breaker);
    let client = Client::new(Arc::new(Script::new([page])), Arc::new(clock.clone())).guarded(breaker.clone());
    let Ok(site) = url::Url::parse("https://site.example/") else { return };
    let pages = RankingPages::new(client, site, Arc::new(clock.clone()), Arc::new(WithoutServerIds));
    let pages = BreakerGuardedPages::new(Arc::new(pages), breaker, None);
    let rule = Rule { raid: 26, difficulty: 4, start_page: 1, end_page: 9, ..Rule::default() };
    let claim =
        Claim { rule, pass: None, listed_until: None, last: None, accepted: false, frozen_since: None, lease: 1 };
    let pass = Pass {
        started_at: stint_core::clock::Clock::now(&clock),
        chunks: Vec::new(),
        end: None,
        seen: PassSummary::default(),
    };
    match drive(&clock, pages.page(&claim, &pass, 1)) {
        Ok(PageResult::PastTheEnd { sample } | PageResult::Unreadable { sample, .. }) => {
            let sample = sample.unwrap_or_default();
            assert!(sample.len() <= LARGEST_SAMPLE, "{} bytes of outline", sample.len());
            assert!(!sample.contains(char::is_control), "{sample:?}");
        }
        Ok(PageResult::Rows(listing)) => assert!(listing.players.iter().all(|id| *id > 0)),
        Ok(PageResult::Part { .. }) => panic!("a page that costs nothing is read as a whole"),
        Err(SourceError::Refused(_) | SourceError::Down { .. }) => {}
        Err(SourceError::Failed { reason, .. }) => assert!(!reason.is_empty()),
        Err(error) => panic!("a page cannot be the reason for this: {error}"),
    }
}
