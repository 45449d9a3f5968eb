//! Listeners under the local host on virtual time: failures, panics, drains and leaders.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, Either, join, join_all, select};
use jiff::Timestamp;
use proptest::prelude::*;
use stint_core::clock::{Clock, ManualClock, after, between};
use stint_core::listener::{Listener, ListenerSpec, Replicas, Session};
use stint_core::ports::{Lease, Leases, PortError, PortResult};
use stint_core::registry::Registry;
use stint_core::worker::{StopSignal, WorkerError};
use stint_embedded::Embedded;
use stint_host::listeners::{LEASE_TIME, ListenerPorts, ListenerState, ListenerStatus};
use stint_host::{LocalHost, Ports};
use stint_testkit::{Driver, drive};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// What a listener does with its connection.
#[derive(Clone, Copy)]
enum Script {
    /// It never gets one.
    Refused,
    /// It panics at once.
    Panics,
    /// It loses it after this time.
    Lost(Duration),
    /// It keeps it, and takes this long to end.
    Kept(Duration),
}

/// What a listener did, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    Began,
    /// It handled something, with its fencing token.
    Acted(u64),
    Ended,
}

type Deeds = Arc<Mutex<Vec<(Timestamp, Deed)>>>;

struct Ear<const LEADS: bool> {
    script: Script,
    deeds: Deeds,
}

impl<const LEADS: bool> Ear<LEADS> {
    fn note(&self, session: &Session, deed: Deed) {
        self.deeds.lock().unwrap().push((session.now(), deed));
    }

    /// Acts once a second until it is told to stop.
    async fn act(&self, session: &Session) {
        while let Either::Right(_) = select(session.stopped(), session.clock().sleep(SECOND)).await {
            self.note(session, Deed::Acted(session.token().unwrap_or_default()));
        }
    }
}

impl<const LEADS: bool> Listener for Ear<LEADS> {
    const SPEC: ListenerSpec = ListenerSpec {
        fleet: "test",
        name: "ear",
        summary: "listens",
        replicas: if LEADS { Replicas::Leader } else { Replicas::EveryHost },
    };

    async fn run(&self, session: &Session) -> Result<(), WorkerError> {
        self.note(session, Deed::Began);
        match self.script {
            Script::Refused => return Err(WorkerError::Failed("connection refused".into())),
            Script::Panics => panic!("a bug"),
            Script::Lost(after) => {
                session.connected();
                session.clock().sleep(after).await;
                return Ok(());
            }
            Script::Kept(end) => {
                session.connected();
                self.act(session).await;
                session.clock().sleep(end).await;
            }
        }
        self.note(session, Deed::Ended);
        Ok(())
    }
}

/// The states that were stored, without repetitions.
type States = Arc<Mutex<Vec<Option<ListenerState>>>>;

struct ListenerWorld {
    clock: ManualClock,
    embedded: Embedded,
    deeds: Deeds,
    states: States,
}

impl ListenerWorld {
    fn new() -> ListenerWorld {
        let clock = ManualClock::new("2026-11-20T10:00:00Z".parse().unwrap());
        let embedded = Embedded::in_memory(Arc::new(clock.clone())).unwrap();
        ListenerWorld { clock, embedded, deeds: Deeds::default(), states: States::default() }
    }

    /// Returns a host with this name.
    fn host<const LEADS: bool>(
        &self,
        holder: &str,
        script: Script,
        leases: Arc<dyn Leases>,
        stop: &StopSignal,
    ) -> Arc<LocalHost> {
        let ports = Ports {
            queues: BTreeMap::new(),
            throttle: self.embedded.throttle(),
            wakeups: self.embedded.wakeups(),
            due: self.embedded.wakeups(),
            clock: Arc::new(self.clock.clone()),
            changed: Arc::new(|| std::future::pending().boxed()),
        };
        let states = self.states.clone();
        let listening = ListenerPorts {
            leases,
            holder: holder.to_owned(),
            states: Arc::new(move |_, state| {
                let mut states = states.lock().unwrap();
                if states.last() != Some(&state) {
                    states.push(state);
                }
                async {}.boxed()
            }),
        };
        let registry = Registry::new().with_listener(Ear::<LEADS> { script, deeds: self.deeds.clone() });
        let host = LocalHost::new(registry, ports, stop.clone()).looking_every(SECOND / 2).listening(listening);
        Arc::new(host)
    }

    /// Runs one host for `time`, and then drains it. Returns how long that took.
    fn run(&self, script: Script, time: Duration) -> Duration {
        let stop = StopSignal::default();
        let host = self.host::<false>("one", script, self.embedded.leases(), &stop);
        let ended = Driver::new(&self.clock).run(async {
            let end = async {
                self.clock.sleep(time).await;
                stop.set();
                self.clock.now()
            };
            join(join_all(host.loops()), end).await.1
        });
        between(ended, self.clock.now())
    }

    fn deeds(&self) -> Vec<(Timestamp, Deed)> {
        self.deeds.lock().unwrap().clone()
    }

    /// Returns the times between the beginnings of runs.
    fn pauses(&self) -> Vec<Duration> {
        let began: Vec<Timestamp> =
            self.deeds().into_iter().filter(|(_, deed)| *deed == Deed::Began).map(|(at, _)| at).collect();
        began.windows(2).map(|pair| between(pair[0], pair[1])).collect()
    }
}

#[test]
fn a_listener_that_fails_again_and_again_waits_longer_and_longer() {
    let world = ListenerWorld::new();
    world.run(Script::Refused, MINUTE * 60);
    let pauses = world.pauses();
    assert!((18..40).contains(&pauses.len()), "{} starts in an hour", pauses.len());
    for (failures, pause) in (0..).zip(&pauses) {
        let bound = Duration::from_secs(2_u64.pow(failures).min(300));
        assert!(bound / 2 <= *pause && *pause < bound + SECOND, "pause {failures}: {pause:?}");
    }
    let states = world.states.lock().unwrap();
    let waiting = states.iter().flatten().rfind(|state| matches!(state.status, ListenerStatus::Waiting { .. }));
    let waiting = waiting.unwrap();
    assert_eq!(waiting.error.as_deref(), Some("connection refused"));
    assert!(waiting.failures as usize >= pauses.len());
    assert_eq!(states.last(), Some(&None), "the state is removed at the end");
}

#[test]
fn a_panic_ends_a_run_and_not_the_host() {
    let world = ListenerWorld::new();
    world.run(Script::Panics, MINUTE);
    assert!(world.pauses().len() >= 5);
    let states = world.states.lock().unwrap();
    assert!(states.iter().flatten().any(|state| state.error.as_deref() == Some("it panicked: a bug")));
}

#[test]
fn a_connection_of_a_minute_ends_the_outage() {
    let world = ListenerWorld::new();
    let short = MINUTE / 2;
    world.run(Script::Lost(short), MINUTE * 30);
    assert!(world.pauses().last() > Some(&(short + MINUTE)), "half a minute is not enough");
    let world = ListenerWorld::new();
    let long = MINUTE * 2;
    world.run(Script::Lost(long), MINUTE * 30);
    assert!(world.pauses().iter().all(|pause| *pause < long + SECOND * 2), "{:?}", world.pauses());
}

#[test]
fn a_listener_ends_its_connection_before_the_host_stops() {
    let world = ListenerWorld::new();
    let took = world.run(Script::Kept(SECOND * 5), MINUTE);
    assert!((5..7).contains(&took.as_secs()), "{took:?}");
    assert_eq!(world.deeds().last().unwrap().1, Deed::Ended);
}

#[test]
fn a_listener_that_does_not_end_is_dropped() {
    let world = ListenerWorld::new();
    let took = world.run(Script::Kept(MINUTE * 60), MINUTE);
    assert!((8..10).contains(&took.as_secs()), "{took:?}");
    assert!(matches!(world.deeds().last().unwrap().1, Deed::Acted(_)));
}

/// Leases that fail while the switch is on.
struct Unreliable(Arc<dyn Leases>, Arc<AtomicBool>);

impl Unreliable {
    fn check(&self) -> PortResult<()> {
        let down = self.1.load(Ordering::SeqCst);
        if down { Err(PortError::backend("lease", "no primary")) } else { Ok(()) }
    }
}

#[async_trait]
impl Leases for Unreliable {
    async fn acquire(&self, name: &str, holder: &str, time: Duration) -> PortResult<Option<Lease>> {
        self.check()?;
        self.0.acquire(name, holder, time).await
    }

    async fn renew(&self, lease: &Lease, time: Duration) -> PortResult<bool> {
        self.check()?;
        self.0.renew(lease, time).await
    }

    async fn release(&self, lease: &Lease) -> PortResult<()> {
        self.check()?;
        self.0.release(lease).await
    }
}

/// Returns the times of the last act of the first leader and of the first act of the second.
fn change_of_leader(world: &ListenerWorld) -> (Timestamp, Timestamp) {
    let acts: Vec<(Timestamp, u64)> = world
        .deeds()
        .into_iter()
        .filter_map(|(at, deed)| if let Deed::Acted(token) = deed { Some((at, token)) } else { None })
        .collect();
    assert!(acts.is_sorted_by_key(|(_, token)| *token), "two leaders at once: {acts:?}");
    let last = acts.iter().rfind(|(_, token)| *token == 1).unwrap().0;
    let first = acts.iter().find(|(_, token)| *token > 1).expect("a second leader").0;
    (last, first)
}

const KEPT: Script = Script::Kept(Duration::from_secs(2));

#[test]
fn another_host_takes_over_when_the_leader_crashes_or_stops() {
    for (crashes, longest) in [(true, LEASE_TIME + MINUTE / 5), (false, MINUTE / 4)] {
        let world = ListenerWorld::new();
        let (stop, other_stop) = (StopSignal::default(), StopSignal::default());
        let first = world.host::<true>("one", KEPT, world.embedded.leases(), &stop);
        let second = world.host::<true>("two", KEPT, world.embedded.leases(), &other_stop);
        Driver::new(&world.clock).run(async {
            let first = async {
                let end = world.clock.sleep(MINUTE * 2);
                let mut loops = join_all(first.loops());
                select(&mut loops, end).await;
                if !crashes {
                    stop.set();
                    loops.await;
                }
            };
            let second = async {
                world.clock.sleep(SECOND).await;
                let end = world.clock.sleep(MINUTE * 4);
                select(join_all(second.loops()), end).await;
            };
            join(first, second).await;
        });
        let (last, next) = change_of_leader(&world);
        assert!(between(last, next) <= longest, "crashes: {crashes}, {:?}", between(last, next));
    }
}

/// It must stop in time, because another host may reach the store that it does not.
#[test]
fn a_leader_that_cannot_renew_its_lease_stops_before_another_begins() {
    let world = ListenerWorld::new();
    let (down, stop) = (Arc::new(AtomicBool::new(false)), StopSignal::default());
    let unreliable = Arc::new(Unreliable(world.embedded.leases(), down.clone()));
    let first = world.host::<true>("one", KEPT, unreliable, &stop);
    let second = world.host::<true>("two", KEPT, world.embedded.leases(), &stop);
    let cut = after(world.clock.now(), MINUTE);
    Driver::new(&world.clock).run(async {
        let second = async {
            world.clock.sleep(SECOND).await;
            join_all(second.loops()).await;
        };
        let cut = async {
            world.clock.sleep_until(cut).await;
            down.store(true, Ordering::SeqCst);
            world.clock.sleep(MINUTE * 2).await;
            stop.set();
        };
        join(join(join_all(first.loops()), second), cut).await;
    });
    let (last, next) = change_of_leader(&world);
    assert!(last > cut && between(cut, last) <= SECOND * 21 && between(last, next) >= SECOND, "{last}, {next}");
}

/// A future that stands still at times, like a process of a suspended machine.
struct Paused<'a> {
    inner: BoxFuture<'a, ()>,
    clock: ManualClock,
    pauses: Vec<(Timestamp, Timestamp)>,
    wake: Option<BoxFuture<'static, ()>>,
}

impl Future for Paused<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let now = self.clock.now();
        if let Some((_, end)) = self.pauses.iter().find(|(begin, end)| *begin <= now && now < *end) {
            let mut wake = self.clock.sleep_until(*end);
            let poll = wake.poll_unpin(context);
            self.wake = Some(wake);
            assert!(poll.is_pending());
            return Poll::Pending;
        }
        self.inner.as_mut().poll(context)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Within what a lease can promise: a process that stands still looks at its lease before it goes on.
    #[test]
    fn there_is_at_most_one_leader(pauses in prop::collection::vec((0_usize..3, 0_u64..900, 1_u64..120), 0..12)) {
        let world = ListenerWorld::new();
        let begin = world.clock.now();
        let hosts = (0..3).map(|number| {
            let host = world.host::<true>(&format!("host {number}"), KEPT, world.embedded.leases(), &StopSignal::default());
            let own = pauses.iter().filter(|(host, ..)| *host == number);
            let at = |seconds: u64| after(begin, Duration::from_millis(seconds * 1_000 + 137 * number as u64));
            let pauses = own.map(|(_, start, length)| (at(*start), at(start + length))).collect();
            let inner = async move { drop(join_all(host.loops()).await) }.boxed();
            Paused { inner, clock: world.clock.clone(), pauses, wake: None }
        });
        let hosts = join_all(hosts);
        drive(&world.clock, async {
            select(pin!(hosts), world.clock.sleep(MINUTE * 18)).await;
        });
        let acts: Vec<(Timestamp, u64)> = world.deeds().into_iter()
            .filter_map(|(at, deed)| if let Deed::Acted(token) = deed { Some((at, token)) } else { None })
            .collect();
        prop_assert!(acts.is_sorted_by_key(|(_, token)| *token), "two leaders at once: {acts:?}");
        // At most three overlapping pauses in a row, a lease and a try.
        let longest = acts.windows(2).map(|pair| between(pair[0].0, pair[1].0)).max();
        prop_assert!(acts.len() > 300 && longest < Some(MINUTE * 8), "{} acts, {longest:?}", acts.len());
    }
}
