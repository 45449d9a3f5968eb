//! Corrupted responses of every kind: half an hour of them, and then correct ones. Nothing panics, no well-formed
//! message becomes a dead letter, nothing is overspent, and one window of correct responses restores every key.
//!
//! `STINT_MUTATIONS` sets how many responses are corrupted in all; `scripts/fuzz --mutations` runs it with 100,000.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};
use stint_core::clock::{Clock, after, between};
use stint_core::ledger::KeyState;
use stint_core::points::Points;
use stint_http::{Body, RequestLimits, Transport, TransportError};
use stint_testkit::{Mutations, peak_megabytes};
use stint_warcraftlogs::discovery::DiscoverySource;

use crate::world::{FleetWorld, Process, Setup, run_scenario};

/// As long as a key is paused whose token was corrupted.
const WINDOW: u64 = 900;

/// How long responses are corrupted.
const CORRUPT_FOR: u64 = 2 * WINDOW;

/// Percentage of corrupted responses in each scenario.
const SHARES: [u64; 3] = [15, 30, 50];

/// Points of a key in each scenario: few, or as many as all calls can use.
const LIMITS: [u64; 2] = [3_000, 60_000];

/// The longest pause before the next probe of a breaker that was refused more than once.
const LONGEST_OUTAGE: Duration = Duration::from_secs(61 * 60);

/// A transport that corrupts responses until it is repaired.
struct CorruptingTransport {
    inner: Arc<dyn Transport>,
    state: Mutex<State>,
}

struct State {
    mutations: Mutations,
    share: u64,
    corrupted: u64,
}

impl CorruptingTransport {
    fn new(inner: Arc<dyn Transport>, seed: u64) -> Arc<CorruptingTransport> {
        let share = SHARES[seed as usize % SHARES.len()];
        let state = State { mutations: Mutations::new(seed), share, corrupted: 0 };
        Arc::new(CorruptingTransport { inner, state: Mutex::new(state) })
    }

    /// From now on every response is correct. Returns how many were corrupted.
    fn stop(&self) -> u64 {
        let mut state = self.state.lock().unwrap();
        state.share = 0;
        state.corrupted
    }

    fn garble(&self, head: &mut http::response::Parts, body: Bytes) -> Bytes {
        let State { mutations, share, corrupted } = &mut *self.state.lock().unwrap();
        if mutations.below(100) >= *share {
            return body;
        }
        *corrupted += 1;
        if mutations.below(10) == 0 {
            const STATUSES: [u16; 8] = [200, 201, 302, 400, 403, 404, 429, 503];
            head.status = StatusCode::from_u16(STATUSES[mutations.below(8) as usize]).unwrap();
        }
        if mutations.below(10) == 0 {
            let value = mutations.header("30");
            head.headers.insert(RETRY_AFTER, HeaderValue::from_str(&value).unwrap());
        }
        Bytes::from(mutations.body(&body))
    }
}

#[async_trait]
impl Transport for CorruptingTransport {
    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: RequestLimits,
    ) -> Result<Response<Body>, TransportError> {
        let (mut head, body) = self.inner.send(request, limits).await?.into_parts();
        let body = self.garble(&mut head, body);
        if body.len() > limits.max_body {
            return Err(TransportError::TooLarge { host: "standin".into(), max_body: limits.max_body });
        }
        Ok(Response::from_parts(head, Body::whole(body)))
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test\'s own setting")]
fn a_fleet_survives_corrupted_responses() {
    let asked = std::env::var("STINT_MUTATIONS").ok();
    let wanted: u64 = asked.as_ref().map_or(200, |count| count.parse().unwrap());
    let (mut corrupted, mut seed) = (0, 0);
    while corrupted < wanted {
        seed += 1;
        corrupted += scenario(seed);
    }
    // Only when it runs alone, without the memory of other tests.
    let peak = peak_megabytes().filter(|_| asked.is_some());
    print_summary(corrupted, seed, peak);
    assert!(peak <= Some(150), "{peak:?} MB");
}

#[expect(clippy::print_stdout, reason = "a long run says what it came to")]
fn print_summary(corrupted: u64, scenarios: u64, peak: Option<u64>) {
    println!("{corrupted} responses were corrupted in {scenarios} scenarios, in {peak:?} MB at the most");
}

fn scenario(seed: u64) -> u64 {
    let limit = LIMITS[seed as usize % LIMITS.len()];
    let mut setup = Setup::new(seed, 200).odd_players().keys(&[limit, limit / 2], WINDOW);
    if seed.is_multiple_of(4) {
        setup.settings.discovery_source = DiscoverySource::Reports;
    }
    if seed.is_multiple_of(5) {
        setup = setup.unguarded();
    }
    let world = setup.build();
    let line = CorruptingTransport::new(world.network.clone(), seed);
    run_scenario(&world, async {
        world.add_rules(1).await;
        let fleet = world.start_through(line.clone());
        fleet.set_schedules().await;
        let mut corrupted = 0;
        let scenario = async {
            for _ in 0..CORRUPT_FOR / 60 {
                world.queue_all().await;
                world.pass(60).await;
            }
            corrupted = line.stop();
            assert_restored(&world, &fleet, limit, seed).await;
            while world.stores.queue.counts().await.unwrap().unfinished() > 0 {
                world.pass(10).await;
            }
        };
        fleet.run_while(scenario).await;
        assert_eq!(world.dead_letters().await, [], "seed {seed}");
        let counters = world.counters();
        assert_eq!(counters.overspent, Points::ZERO, "seed {seed}");
        corrupted
    })
}

/// As soon as the breaker allows calls, one window is enough for every key.
async fn assert_restored(world: &FleetWorld, fleet: &Process, limit: u64, seed: u64) {
    let began = world.clock.now();
    while fleet.budget.api.outage().await.is_some() {
        world.pass(1).await;
        assert!(between(began, world.clock.now()) < LONGEST_OUTAGE, "seed {seed}: the breaker does not close");
    }
    let until = after(world.clock.now(), Duration::from_secs(WINDOW + 60));
    loop {
        fleet.budget.read_counters(Points::MAX).await.unwrap();
        let keys = world.stores.pool.keys().await.unwrap();
        let grants = |state| matches!(state, KeyState::Open | KeyState::Edge);
        let right = [Points::whole(limit), Points::whole(limit / 2)];
        if keys.iter().all(|key| grants(key.state) && right.contains(&key.limit)) {
            return;
        }
        assert!(world.clock.now() < until, "seed {seed}: {keys:#?}");
        world.pass(5).await;
    }
}
