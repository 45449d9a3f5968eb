//! Damaged answers, headers included: a quarter of an hour of them, and then correct ones. Nothing panics, no message
//! is dead-lettered except that of an answer that is not a page, no edit of the river is skipped, and within an hour of
//! correct answers the chain is at its full pace again.
//!
//! `STINT_MUTATIONS` sets the total number of damaged answers; `scripts/fuzz --mutations` runs it with 100,000.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use stint_core::clock::{Clock, after};
use stint_http::{Body, RequestLimits, Transport, TransportError};
use stint_poe_stashes::follower::resume;
use stint_poe_stashes::look_ahead::{Peek, Peeked, Scan};
use stint_poe_stashes::model::ChangeId;
use stint_poe_stashes::store::Progress;
use stint_standins::poe_stashes::Options;
use stint_testkit::{Mutations, peak_megabytes};

use crate::world::{World, busy_river, run_scenario};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// How long answers are damaged.
const DAMAGE_TIME: Duration = Duration::from_secs(15 * 60);

/// The share of damaged answers, in percent.
const SHARE: u64 = 30;

/// A transport that damages answers until its share is zero.
struct DamagingTransport {
    inner: Arc<dyn Transport>,
    state: Arc<Mutex<State>>,
}

struct State {
    mutations: Mutations,
    share: u64,
    damaged: u64,
}

impl State {
    fn damage(&mut self, head: &mut http::response::Parts, body: Bytes) -> Bytes {
        if self.mutations.below(100) >= self.share {
            return body;
        }
        self.damaged += 1;
        match self.mutations.below(20) {
            0..=9 => {
                let damaged = self.mutations.body(&body);
                // The content of a page is what its body says: a wrong next id in the body could not be detected by any
                // client.
                let misleads = named(&damaged).any(|id| named(&body).all(|right| right != id));
                self.damaged -= u64::from(misleads);
                return if misleads { body } else { Bytes::from(damaged) };
            }
            10..=18 => self.header(&mut head.headers),
            _ => {
                const STATUSES: [u16; 6] = [204, 302, 403, 404, 429, 503];
                head.status = StatusCode::from_u16(STATUSES[self.mutations.below(6) as usize]).unwrap();
                head.headers.insert(RETRY_AFTER, HeaderValue::from(self.mutations.below(600)));
            }
        }
        body
    }

    /// Changes or removes a header.
    fn header(&mut self, headers: &mut HeaderMap) {
        let names: Vec<HeaderName> = headers.keys().cloned().collect();
        let Some(name) = names.get(self.mutations.below(names.len() as u64) as usize) else { return };
        let value = headers.remove(name).unwrap();
        if self.mutations.below(4) > 0 {
            let value = self.mutations.header(value.to_str().unwrap());
            headers.insert(name, HeaderValue::from_str(&value).unwrap());
        }
    }
}

#[async_trait]
impl Transport for DamagingTransport {
    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: RequestLimits,
    ) -> Result<Response<Body>, TransportError> {
        let (mut head, body) = self.inner.send(request, limits).await?.into_parts();
        let body = self.state.lock().unwrap().damage(&mut head, body);
        Ok(Response::from_parts(head, Body::whole(body)))
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test\'s own setting")]
fn damaged_answers_skip_no_page_and_correct_ones_restore_the_pace() {
    let asked = std::env::var("STINT_MUTATIONS").ok();
    let wanted: u64 = asked.as_ref().map_or(500, |count| count.parse().unwrap());
    let (mut damaged, mut seed) = (0, 0);
    while damaged < wanted {
        seed += 1;
        damaged += scenario(seed);
    }
    // Measured when run by itself, without the memory of other tests.
    let peak = peak_megabytes().filter(|_| asked.is_some());
    print_summary(damaged, seed, peak);
    assert!(peak <= Some(150), "{peak:?} MB");
}

#[expect(clippy::print_stdout, reason = "a long run prints its result")]
fn print_summary(damaged: u64, scenarios: u64, peak: Option<u64>) {
    println!("{damaged} damaged answers in {scenarios} scenarios, peak memory {peak:?} MB");
}

fn scenario(seed: u64) -> u64 {
    let state = State { mutations: Mutations::new(seed), share: SHARE, damaged: 0 };
    let state = Arc::new(Mutex::new(state));
    let river = Options { edits_per_second: 20, ..busy_river(seed) };
    let world = World::with(river, &[], |inner| Arc::new(DamagingTransport { inner, state: state.clone() }));
    run_scenario(&world, async {
        let end = after(world.clock.now(), DAMAGE_TIME);
        while world.clock.now() < end {
            follow(&world, end, u64::MAX).await;
        }
        state.lock().unwrap().share = 0;
        assert_restored(&world, seed).await;
        assert_eq!(skipped(&world).await, Vec::<u64>::new(), "seed {seed}: edits that are in no page");
        assert_eq!(world.stores.chain_queue.dead_letters(10).await.unwrap(), [], "seed {seed}");
        for dead in world.stores.stored.dead_letters(1_000).await.unwrap() {
            assert!(dead.reason.contains("cannot be read"), "{dead:?}");
        }
        assert!(!world.counters().banned, "seed {seed}");
        state.lock().unwrap().damaged
    })
}

/// Runs a process until the chain is stopped for an operator, until `end`, or until it has fetched `pages` pages in
/// all.
async fn follow(world: &World, end: jiff::Timestamp, pages: u64) -> Progress {
    resume(&*world.stores.chain).await.unwrap();
    let faults = async {
        loop {
            let progress = world.progress().await;
            if world.clock.now() >= end || progress.stopped.is_some() || progress.totals.fetched >= pages {
                return;
            }
            world.pass(Duration::from_millis(500)).await;
        }
    };
    world.start().run_while(faults).await;
    world.progress().await
}

/// Checks that the chain continues within an hour, and at its full pace after the answers that confirm the limits.
async fn assert_restored(world: &World, seed: u64) {
    for (pages, time) in [(3, HOUR + Duration::from_secs(60)), (300, Duration::from_secs(330))] {
        let pages = world.progress().await.totals.fetched + pages;
        let progress = follow(world, after(world.clock.now(), time), pages).await;
        assert!(progress.totals.fetched >= pages, "seed {seed}: not within {time:?}: {progress:#?}");
    }
    world.start().fetch(0).await;
}

/// Returns the positions before the chain's own from which edits are in no page that was requested and stored.
async fn skipped(world: &World) -> Vec<u64> {
    let mut served: BTreeMap<u64, (ChangeId, u64)> = BTreeMap::new();
    for page in world.counters().pages {
        let (id, next): (ChangeId, ChangeId) = (id(&page.change_id), id(&page.next_change_id));
        let entry = served.entry(world.edits_before(id)).or_insert((id, 0));
        entry.1 = entry.1.max(world.edits_before(next));
    }
    let end = world.edits_before(world.progress().await.position.unwrap());
    let (mut skipped, mut reached) = (Vec::new(), 0);
    for (from, (id, to)) in served.into_iter().filter(|(from, _)| *from < end) {
        if world.stored(id).await.is_none() {
            continue;
        }
        if from > reached {
            skipped.push(reached);
        }
        reached = reached.max(to);
    }
    if reached < end {
        skipped.push(reached);
    }
    skipped
}

/// The ids in a body, by its first bytes and as a whole.
fn named(body: &[u8]) -> impl Iterator<Item = ChangeId> + use<> {
    let (mut scan, mut peek) = (Scan::default(), Peek::default());
    scan.feed(body);
    let first = match peek.feed(body) {
        Peeked::Found(id) => Some(id),
        Peeked::NotYet | Peeked::NotFound => None,
    };
    first.into_iter().chain(scan.next())
}

fn id(text: &str) -> ChangeId {
    text.parse().unwrap_or(ChangeId::BEGINNING)
}
