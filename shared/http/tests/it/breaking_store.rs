//! A breaker with a store that is slow, unavailable, contended or recreated.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use stint_core::circuit::{Circuit, Health, Intent, Pass};
use stint_core::clock::{Clock, ManualClock};
use stint_core::ports::{Breakers, PortError, PortResult};
use stint_http::MemoryBreakers;

use crate::breaker::{SETTINGS, breaker, call, failed, open, until_due};
use crate::scripted::HttpWorld;

/// Longer than a copy of the record is used.
const STALE: Duration = Duration::from_secs(6);

/// A store that counts its calls and behaves as configured.
#[derive(Default)]
pub(crate) struct Store {
    records: Mutex<Arc<MemoryBreakers>>,
    behaviour: Mutex<Behaviour>,
    loads: AtomicUsize,
    writes: AtomicUsize,
}

/// How a store behaves.
#[derive(Clone, Default)]
pub(crate) enum Behaviour {
    #[default]
    Well,
    /// Every call fails.
    Away,
    /// Other processes are faster each time.
    Contended,
    /// Each load takes a second.
    Slow(ManualClock),
}

impl Store {
    /// Returns the number of loads and of writes.
    pub(crate) fn asked(&self) -> (usize, usize) {
        (self.loads.load(Ordering::SeqCst), self.writes.load(Ordering::SeqCst))
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().expect("lock") = behaviour;
    }

    /// Loses all records.
    fn reset(&self) {
        *self.records.lock().expect("lock") = Arc::default();
    }

    fn records(&self) -> Arc<MemoryBreakers> {
        self.records.lock().expect("lock").clone()
    }

    async fn meet(&self) -> PortResult<Behaviour> {
        let behaviour = self.behaviour.lock().expect("lock").clone();
        match &behaviour {
            Behaviour::Away => return Err(PortError::backend("could not reach the store", "connection refused")),
            Behaviour::Slow(clock) => clock.sleep(Duration::from_secs(1)).await,
            Behaviour::Well | Behaviour::Contended => {}
        }
        Ok(behaviour)
    }
}

#[async_trait]
impl Breakers for Store {
    async fn load(&self, upstream: &str) -> PortResult<(u64, Circuit)> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.meet().await?;
        self.records().load(upstream).await
    }

    async fn replace(&self, upstream: &str, version: u64, circuit: &Circuit) -> PortResult<bool> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        match self.meet().await? {
            Behaviour::Contended => Ok(false),
            _ => self.records().replace(upstream, version, circuit).await,
        }
    }
}

#[test]
fn the_record_of_a_store_that_was_made_anew_counts() {
    let world = HttpWorld::new([]);
    let store = Arc::<Store>::default();
    let (mine, others) = (breaker(&world, &store), breaker(&world, &store));
    let clock = world.clock.clone();
    world.run(async move {
        open(&mine).await;
        store.reset();
        clock.advance(STALE);
        assert_eq!(mine.waits(Intent::Work).await, None);
        let loads = store.asked().0;
        call(&mine, Intent::Work, &Health::Served).await;
        assert_eq!(store.asked().0, loads, "the copy is fresh");
        // Recreated once more, and other processes have written since.
        call(&mine, Intent::Work, &failed()).await;
        call(&mine, Intent::Work, &failed()).await;
        store.reset();
        call(&others, Intent::Work, &failed()).await;
        call(&mine, Intent::Work, &failed()).await;
        let (version, circuit) = store.load("api").await.expect("record");
        assert_eq!((version, failures(&circuit)), (2, Some(2)));
    });
}

fn failures(circuit: &Circuit) -> Option<u64> {
    serde_json::to_value(circuit).expect("record")["state"]["failures"].as_u64()
}

#[test]
fn what_a_store_failed_to_keep_is_kept_when_it_is_back() {
    let world = HttpWorld::new([]);
    let store = Arc::<Store>::default();
    let (mine, others) = (breaker(&world, &store), breaker(&world, &store));
    let clock = world.clock.clone();
    world.run(async move {
        store.behave(Behaviour::Away);
        open(&mine).await;
        clock.advance(STALE);
        assert!(mine.waits(Intent::Work).await.is_some(), "it goes by its own copy");
        store.behave(Behaviour::Well);
        clock.advance(STALE);
        assert!(mine.waits(Intent::Work).await.is_some());
        assert!(others.waits(Intent::Work).await.is_some(), "all know");
        clock.advance(STALE);
        assert_eq!(others.waits(Intent::Work).await, mine.waits(Intent::Work).await);
    });
}

#[test]
fn what_others_have_kept_meanwhile_is_not_undone() {
    let world = HttpWorld::new([]);
    let store = Arc::<Store>::default();
    let (mine, others) = (breaker(&world, &store), breaker(&world, &store));
    let clock = world.clock.clone();
    world.run(async move {
        open(&mine).await;
        clock.advance(STALE);
        let until = mine.waits(Intent::Probe).await.expect("open").until;
        store.behave(Behaviour::Away);
        mine.probe_now().await;
        store.behave(Behaviour::Well);
        clock.sleep_until(until).await;
        assert!(call(&others, Intent::Probe, &Health::Served).await);
        clock.advance(STALE);
        assert_eq!(mine.waits(Intent::Work).await, None, "the outage is over");
    });
}

#[test]
fn a_right_that_is_not_stored_is_invalid() {
    let world = HttpWorld::new([]);
    let store = Arc::<Store>::default();
    let breaker = breaker(&world, &store);
    let clock = world.clock.clone();
    world.run(async move {
        open(&breaker).await;
        until_due(&clock, &breaker).await;
        store.behave(Behaviour::Contended);
        let (_, before) = store.asked();
        let wait = breaker.enter(Intent::Probe).await.expect_err("another process may probe");
        assert!(wait.until > clock.now());
        assert!((2..20).contains(&(store.asked().1 - before)), "it has tried");
        store.behave(Behaviour::Well);
        assert_eq!(breaker.enter(Intent::Probe).await, Ok(Pass::Probe(1)));
    });
}

#[test]
fn calls_that_fail_when_it_is_open_ask_the_store_nothing() {
    let world = HttpWorld::new([]);
    let store = Arc::<Store>::default();
    let breaker = breaker(&world, &store);
    world.run(async move {
        for entered in join_all((0..50).map(|_| breaker.enter(Intent::Work))).await {
            assert_eq!(entered, Ok(Pass::Free));
        }
        let failed = failed();
        join_all((0..50).map(|_| breaker.report(Pass::Free, &failed))).await;
        assert_eq!(store.asked(), (1, SETTINGS.failures as usize));
        breaker.report(Pass::Free, &Health::Served).await;
        assert_eq!(store.asked(), (1, SETTINGS.failures as usize));
    });
}

#[test]
fn callers_that_find_the_copy_too_old_read_it_once() {
    let world = HttpWorld::new([]);
    let store = Arc::<Store>::default();
    let breaker = breaker(&world, &store);
    let clock = world.clock.clone();
    world.run(async move {
        store.behave(Behaviour::Slow(clock));
        let entered = join_all((0..50).map(|_| breaker.enter(Intent::Work))).await;
        assert!(entered.iter().all(|entered| *entered == Ok(Pass::Free)));
        assert_eq!(store.asked(), (1, 0));
    });
}
