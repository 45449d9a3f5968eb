//! The breaker between its callers and its store, and which requests it holds back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use secrecy::SecretString;
use stint_core::circuit::{CircuitSettings, Health, Intent, Pass};
use stint_core::clock::{Clock, between};
use stint_http::{Breaker, Client, HttpError, MemoryBreakers, RetryPolicy, TokenSource};

use crate::breaking_store::{Behaviour, Store};
use crate::log::logged;
use crate::scripted::{HOST, HttpWorld, answer, ok, request, timed_out, token, unreachable};

pub(crate) const SETTINGS: CircuitSettings = CircuitSettings::for_calls_of(Duration::from_secs(30));

mod memory {
    use std::sync::Arc;

    use async_trait::async_trait;
    use stint_core::ports::{Breakers, PortResult};
    use stint_http::MemoryBreakers;

    struct Memory(Arc<MemoryBreakers>);

    #[async_trait]
    impl stint_testkit::BreakerWorld for Memory {
        async fn breakers(&self) -> PortResult<Arc<dyn Breakers>> {
            Ok(self.0.clone())
        }
    }

    stint_testkit::breakers_suite!(futures::executor::block_on, async { Memory(Arc::default()) });
}

pub(crate) fn breaker(world: &HttpWorld, store: &Arc<Store>) -> Arc<Breaker> {
    Arc::new(Breaker::new("api", Arc::<Store>::clone(store), Arc::new(world.clock.clone()), SETTINGS))
}

pub(crate) fn failed() -> Health {
    Health::Failed("status 502".into())
}

/// Makes one call that ends with `health`. Returns whether it was admitted.
pub(crate) async fn call(breaker: &Breaker, intent: Intent, health: &Health) -> bool {
    let Ok(pass) = breaker.enter(intent).await else { return false };
    breaker.report(pass, health).await;
    true
}

pub(crate) async fn open(breaker: &Breaker) {
    for _ in 0..SETTINGS.failures {
        call(breaker, Intent::Work, &failed()).await;
    }
    assert!(breaker.waits(Intent::Work).await.is_some());
}

pub(crate) async fn until_due(clock: &impl Clock, breaker: &Breaker) -> Timestamp {
    let until = breaker.waits(Intent::Probe).await.expect("it is open").until;
    clock.sleep_until(until).await;
    until
}

#[test]
fn good_calls_ask_the_store_nothing() {
    let world = HttpWorld::new([]);
    let store = Arc::<Store>::default();
    let breaker = breaker(&world, &store);
    let clock = world.clock.clone();
    world.run(async move {
        for _ in 0..1_000 {
            assert!(call(&breaker, Intent::Work, &Health::Served).await);
        }
        assert_eq!(store.asked(), (1, 0));
        clock.advance(Duration::from_secs(6));
        call(&breaker, Intent::Work, &Health::Served).await;
        assert_eq!(store.asked(), (2, 0), "once in some seconds");
        call(&breaker, Intent::Work, &failed()).await;
        call(&breaker, Intent::Work, &Health::Served).await;
        call(&breaker, Intent::Work, &Health::Served).await;
        assert_eq!(store.asked(), (2, 2), "the failure, and the first success after it");
    });
}

#[test]
fn failures_of_all_processes_are_in_one_row_and_one_probes_for_all() {
    let world = HttpWorld::new([]);
    let store = Arc::<Store>::default();
    let processes: Vec<Arc<Breaker>> = (0..SETTINGS.failures).map(|_| breaker(&world, &store)).collect();
    let clock = world.clock.clone();
    world.run(async move {
        for process in &processes {
            assert!(call(process, Intent::Work, &failed()).await);
        }
        clock.advance(Duration::from_secs(5));
        for process in &processes {
            assert!(!call(process, Intent::Work, &Health::Served).await, "all know within some seconds");
        }
        until_due(&clock, &processes[0]).await;
        let mut passes = Vec::new();
        for process in &processes {
            passes.extend(process.enter(Intent::Probe).await);
        }
        assert_eq!(passes, [Pass::Probe(1)]);
        processes[0].report(passes[0], &Health::Served).await;
        clock.advance(Duration::from_secs(5));
        for process in &processes {
            assert!(call(process, Intent::Work, &Health::Served).await);
        }
    });
}

#[test]
fn it_says_once_that_it_opens_and_once_that_it_closes() {
    let world = HttpWorld::new([]);
    let store = Arc::<Store>::default();
    let breaker = breaker(&world, &store);
    let clock = world.clock.clone();
    let ((), log) = logged(|| {
        world.run(async move {
            open(&breaker).await;
            for _ in 0..5 {
                until_due(&clock, &breaker).await;
                assert!(call(&breaker, Intent::Probe, &failed()).await);
            }
            until_due(&clock, &breaker).await;
            assert!(call(&breaker, Intent::Probe, &Health::Served).await);
        });
    });
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines[0].contains("api is down") && lines[0].contains("status 502"), "{log}");
    assert!(lines[1].contains("api works again after"), "{log}");
}

#[test]
fn an_unavailable_store_stops_no_call_and_is_written_later() {
    let world = HttpWorld::new([]);
    let store = Arc::<Store>::default();
    let (mine, others) = (breaker(&world, &store), breaker(&world, &store));
    let clock = world.clock.clone();
    world.run(async move {
        store.behave(Behaviour::Away);
        assert!(call(&mine, Intent::Work, &Health::Served).await);
        open(&mine).await;
        store.behave(Behaviour::Well);
        assert!(call(&others, Intent::Work, &Health::Served).await, "the store was unavailable");
        until_due(&clock, &mine).await;
    });
}

/// Adds the pass of a caller that has entered the breaker to `request`.
pub(crate) fn with(pass: Pass, mut request: http::Request<Bytes>) -> http::Request<Bytes> {
    request.extensions_mut().insert(pass);
    request
}

/// Returns a client behind a breaker, and that breaker.
pub(crate) fn guarded(world: &HttpWorld) -> (Client, Arc<Breaker>) {
    let breaker = breaker(world, &Arc::default());
    let client = world.client.clone().guarded(breaker.clone());
    (client, breaker)
}

#[test]
fn while_it_is_open_no_request_leaves() {
    let world = HttpWorld::new([ok("never")]);
    let (client, breaker) = guarded(&world);
    let error = world.run(async move {
        open(&breaker).await;
        client.send(request("/x"), &RetryPolicy::PAGE).await.expect_err("error")
    });
    assert!(matches!(&error, HttpError::BreakerOpen { upstream, .. } if upstream == "api"), "{error}");
    assert!(error.to_string().contains("status 502") && !error.may_be_billed(), "{error}");
    assert_eq!(world.seen().len(), 0);
}

#[test]
fn a_request_waiting_at_the_gate_is_not_sent_after_the_breaker_opens() {
    let world = HttpWorld::slow([ok("first"), ok("never")], Duration::ZERO, Duration::from_secs(10));
    let (client, breaker) = guarded(&world);
    let error = world.run(async move {
        client.send(request("/x"), &RetryPolicy::PAGE).await.expect("answer");
        let late = client.send(request("/x"), &RetryPolicy::PAGE);
        futures::future::join(late, open(&breaker)).await.0.expect_err("error")
    });
    assert!(matches!(error, HttpError::BreakerOpen { .. }), "{error}");
    assert_eq!(world.seen().len(), 1);
}

#[test]
fn queries_that_cannot_reach_it_open_it_before_each_of_them_is_repeated_to_its_end() {
    let world = HttpWorld::new((0..20).map(|_| unreachable()));
    let (client, breaker) = guarded(&world);
    world.run(async move {
        let query = || async {
            // All calls are admitted before the first of them fails.
            let pass = Pass::Free;
            let error = client.send(request("/x"), &RetryPolicy::QUERY).await.expect_err("error");
            breaker.report(pass, &error.health()).await;
        };
        futures::future::join_all((0..10).map(|_| query())).await;
        assert!(breaker.waits(Intent::Work).await.is_some());
    });
    assert_eq!(world.seen().len(), 5, "no more than it takes to open it");
}

#[test]
fn a_probe_is_one_request_whatever_its_policy_repeats() {
    for outcome in [unreachable(), timed_out(), answer(502, &[], ""), answer(429, &[("retry-after", "5")], "")] {
        let world = HttpWorld::new([outcome]);
        let (client, breaker) = guarded(&world);
        let clock = world.clock.clone();
        world.run(async move {
            open(&breaker).await;
            until_due(&clock, &breaker).await;
            let pass = breaker.enter(Intent::Probe).await.expect("a pass");
            let error = client.send(with(pass, request("/x")), &RetryPolicy::TOKEN).await.expect_err("error");
            breaker.report(pass, &error.health()).await;
            assert_eq!(breaker.waits(Intent::Probe).await.expect("it is open").outage.failed_probes, 1);
        });
        assert_eq!(world.seen().len(), 1);
    }
}

#[test]
fn a_probe_that_is_not_accepted_renews_its_token_for_the_next_one() {
    let refused = || answer(401, &[], r#"{"error":"Unauthenticated."}"#);
    let world = HttpWorld::new([token("one"), refused(), token("two"), refused()]);
    let (client, breaker) = guarded(&world);
    let clock = world.clock.clone();
    world.run(async move {
        let uri = format!("https://{HOST}/token").parse().expect("uri");
        let tokens = TokenSource::new(client.clone(), uri, "shop", SecretString::from("secret"));
        open(&breaker).await;
        for _ in 0..2 {
            until_due(&clock, &breaker).await;
            let pass = breaker.enter(Intent::Probe).await.expect("a pass");
            let asked = client.authorized(with(pass, request("/x")), &tokens, &RetryPolicy::QUERY);
            let error = asked.await.expect_err("error");
            assert!(matches!(error, HttpError::Unauthorized { .. }), "{error}");
            breaker.report(pass, &error.health()).await;
        }
    });
    let sent: Vec<String> = world.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(sent, ["/token", "/x", "/token", "/x"]);
}

#[test]
fn waits_differ_from_process_to_process() {
    let world = HttpWorld::new([]);
    let delays = world.run({
        let clock = world.clock.clone();
        async move {
            let mut delays = Vec::new();
            for upstream in ["api", "site", "river"] {
                let store = Arc::<MemoryBreakers>::default();
                let breaker = Breaker::new(upstream, store, Arc::new(clock.clone()), SETTINGS);
                open(&breaker).await;
                delays.push(between(clock.now(), breaker.waits(Intent::Probe).await.expect("it is open").until));
            }
            delays
        }
    });
    assert!(delays[0] != delays[1] && delays[1] != delays[2], "{delays:?}");
}
