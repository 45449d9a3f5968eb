//! The contract of the chain and of the heads.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{Clock, after};
use stint_poe_stashes::look_ahead::Source;
use stint_poe_stashes::model::ChangeId;
use stint_poe_stashes::store::{Claim, HeadSamples, OpenPage, Progress, Sample, Stopped};

use super::Backend;

const LEASE: Duration = Duration::from_secs(30);

fn id(number: u64) -> ChangeId {
    ChangeId::new([number; 5])
}

fn at(position: u64) -> Progress {
    Progress { position: Some(id(position)), ..Progress::default() }
}

async fn claim(backend: &Backend) -> Option<Claim> {
    (backend.chain)().0.claim(LEASE).await.unwrap()
}

async fn position(backend: &Backend) -> Option<ChangeId> {
    (backend.chain)().0.read().await.unwrap().unwrap().progress.position
}

pub(crate) async fn a_new_chain_is_claimed_without_a_position(backend: &Backend) {
    let (chain, _) = (backend.chain)();
    assert_eq!(chain.read().await.unwrap(), None);
    let claim = chain.claim(LEASE).await.unwrap().unwrap();
    assert_eq!(claim.progress, Progress::default());
    let status = chain.read().await.unwrap().unwrap();
    assert_eq!(status.leased_until, Some(after(backend.clock.now(), LEASE)));
}

pub(crate) async fn a_chain_has_one_leaseholder(backend: &Backend) {
    let first = claim(backend).await.unwrap();
    assert_eq!(claim(backend).await, None);
    backend.clock.advance(LEASE - Duration::from_secs(1));
    assert_eq!(claim(backend).await, None);
    backend.clock.advance(Duration::from_secs(1));
    let second = claim(backend).await.unwrap();
    assert!(second.lease > first.lease);
}

pub(crate) async fn a_lease_taken_with_a_clock_ahead_does_not_block_the_chain(backend: &Backend) {
    claim(backend).await.unwrap();
    backend.clock.jump(jiff::SignedDuration::from_hours(-72));
    assert_eq!((backend.chain)().0.read().await.unwrap().unwrap().active_lease_until(backend.clock.now()), None);
    assert!(claim(backend).await.is_some());
    assert_eq!(claim(backend).await, None);
}

pub(crate) async fn writing_renews_the_lease(backend: &Backend) {
    let (chain, _) = (backend.chain)();
    let claimed = chain.claim(LEASE).await.unwrap().unwrap();
    backend.clock.advance(Duration::from_secs(20));
    assert!(chain.write(&claimed, &at(1), LEASE).await.unwrap());
    backend.clock.advance(Duration::from_secs(20));
    assert_eq!(claim(backend).await, None);
    // The same write twice, and then a write through another handle to the same chain.
    assert!(chain.write(&claimed, &at(2), LEASE).await.unwrap());
    assert!(chain.write(&claimed, &at(2), LEASE).await.unwrap());
    assert!((backend.chain)().0.write(&claimed, &at(3), LEASE).await.unwrap());
    assert!(chain.write(&claimed, &at(4), LEASE).await.unwrap(), "though another way has written");
    assert_eq!(position(backend).await, Some(id(4)));
}

pub(crate) async fn an_old_claim_changes_nothing(backend: &Backend) {
    let (chain, _) = (backend.chain)();
    let old = chain.claim(LEASE).await.unwrap().unwrap();
    assert!(chain.write(&old, &at(1), LEASE).await.unwrap());
    backend.clock.advance(LEASE);
    let new = claim(backend).await.unwrap();
    assert_eq!(new.progress, at(1));
    assert!(!chain.write(&old, &at(2), LEASE).await.unwrap());
    assert!(!chain.release(&old, &at(2)).await.unwrap());
    // Nor if both are in one process.
    let same = (backend.chain)().0;
    backend.clock.advance(LEASE);
    let old = same.claim(LEASE).await.unwrap().unwrap();
    backend.clock.advance(LEASE);
    let new = same.claim(LEASE).await.unwrap().unwrap();
    assert!(!same.write(&old, &at(2), LEASE).await.unwrap());
    assert!(same.write(&new, &at(1), LEASE).await.unwrap());
    assert!(!same.release(&old, &at(2)).await.unwrap());
    assert_eq!(position(backend).await, Some(id(1)));
    assert_eq!(claim(backend).await, None, "the new one still has it");
}

pub(crate) async fn a_released_chain_can_be_claimed_at_once(backend: &Backend) {
    let (chain, _) = (backend.chain)();
    let first = chain.claim(LEASE).await.unwrap().unwrap();
    assert!(chain.release(&first, &at(7)).await.unwrap());
    assert_eq!(chain.read().await.unwrap().unwrap().leased_until, None);
    let second = claim(backend).await.unwrap();
    assert_eq!(second.progress, at(7));
    assert!(!chain.write(&first, &at(8), LEASE).await.unwrap(), "what was given back is another's");
}

pub(crate) async fn every_part_of_the_progress_comes_back(backend: &Backend) {
    let (chain, _) = (backend.chain)();
    let claimed = chain.claim(LEASE).await.unwrap().unwrap();
    let now: Timestamp = "2026-11-28T10:00:00.25Z".parse().unwrap();
    let mut progress = at(1);
    progress.advance(id(1), id(2), Source::Peek, now);
    progress.advance(id(2), id(3), Source::Header, now);
    progress.give_up(id(1), now, "too large".into());
    progress.stopped = Some(Stopped { at: now, reason: "banned".into() });
    progress.header_doubts = 7;
    progress.pace = Some(serde_json::json!({ "lanes": { "pc": [1, 2] } }));
    progress.totals.raw_bytes = u64::MAX >> 1;
    assert!(chain.write(&claimed, &progress, LEASE).await.unwrap());
    let read = (backend.chain)().0.read().await.unwrap().unwrap().progress;
    let open = OpenPage { id: id(2), continued_at: Some(id(3)) };
    assert_eq!((read.open.clone(), read), (vec![open], progress));
}

pub(crate) async fn one_of_many_concurrent_claims_succeeds(backend: &Backend) {
    let claimers = (0..8).map(|_| claim(backend));
    let claims = futures::future::join_all(claimers).await;
    assert_eq!(claims.into_iter().flatten().count(), 1);
}

pub(crate) async fn heads_are_replaced(backend: &Backend) {
    let (_, heads) = (backend.chain)();
    assert_eq!(heads.read().await.unwrap(), HeadSamples::default());
    let at = |number| after(Timestamp::UNIX_EPOCH, Duration::from_millis(number));
    let sample = |number| Sample { at: at(number), id: id(number) };
    heads.write(&HeadSamples { samples: vec![sample(1), sample(2)], refused: None }).await.unwrap();
    let refused = Some(Stopped { at: at(4), reason: "403".into() });
    let head = HeadSamples { samples: vec![sample(2), sample(3)], refused };
    heads.write(&head).await.unwrap();
    assert_eq!((backend.chain)().1.read().await.unwrap(), head);
}
