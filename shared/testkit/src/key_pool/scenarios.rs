//! A table of crashes and faults: the steps, and the key's account after them.
//!
//! All of them use the key `a`: 100 points, read when its window of an hour began, nothing spent.

use std::time::Duration;

use stint_core::clock::{after, before, between};
use stint_core::ledger::{CallEnd, Grant, KeyRefusal, KeyState, LedgerSettings, Reading, ReadingClaim};
use stint_core::points::Points;
use stint_core::ports::PortResult;

use super::{Fixture, LEASE, WINDOW, key};
use crate::suite::pass;
use crate::world::KeyPoolWorld;

/// A sequence of faults and its outcome.
#[derive(Debug)]
pub struct Scenario {
    /// The name of its test.
    pub name: &'static str,
    /// The steps, in order.
    pub steps: &'static [Step],
    /// The key's account after the last step.
    pub expect: Expect,
}

/// A step of a scenario. Calls and claims are numbered from 0, in the order in which they were granted.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// This many points are granted for the next call.
    Reserve(u64),
    /// This many points are granted, but the caller never receives the grant and does not know of its hold.
    ReserveUnanswered(u64),
    /// A reservation of this many points is refused.
    Refuse(u64),
    /// A call is settled. A second settlement of the same call is a retry after a lost reply, or a replay by another
    /// process.
    Settle(usize, CallOutcome),
    /// All processes that used the store have crashed. The following steps run in a process that has opened it again.
    Reopen,
    /// This many seconds pass.
    Pass(u64),
    /// A caller that needs this many points may read the key.
    Claim(u64),
    /// A caller that needs this many points may not read the key.
    NoClaim(u64),
    /// A claimed reading returns this many spent points.
    Observe(usize, u64),
    /// A claimed reading fails.
    ObserveFailed(usize),
    /// The key is paused for this many seconds.
    Pause(u64),
    /// These are the keys in use.
    Configure(&'static [&'static str]),
}

/// How a call ends.
#[derive(Clone, Copy, Debug)]
pub enum CallOutcome {
    /// With this many points spent.
    Answered(u64),
    /// With this many points spent, received this many seconds ago: the settlement comes late.
    AnsweredAgo(u64, u64),
    /// With this many points spent, settled by a process whose clock is this many seconds ahead, or behind if negative.
    AnsweredAhead(u64, i64),
    /// Without an answer.
    Lost,
    /// Without a charge.
    NotBilled,
    /// The upstream refuses the key for this many seconds.
    Refused(u64),
}

/// The key's account at the end, in whole points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expect {
    /// Whether the key grants points.
    pub state: KeyState,
    /// Spent by the upstream's counter.
    pub spent: u64,
    /// Held in total.
    pub held: u64,
    /// Held by calls that are over.
    pub unconfirmed: u64,
    /// Calls in flight.
    pub in_flight: u64,
    /// Free to be granted.
    pub free: u64,
    /// Recorded windows that are over.
    pub windows: usize,
}

/// An open key in its first window, with nothing held.
const OPEN: Expect =
    Expect { state: KeyState::Open, spent: 0, held: 0, unconfirmed: 0, in_flight: 0, free: 100, windows: 0 };

use CallOutcome::{Answered, AnsweredAgo, AnsweredAhead, Lost, NotBilled, Refused};
use Step::{
    Claim, Configure, NoClaim, Observe, ObserveFailed, Pass, Pause, Refuse, Reopen, Reserve, ReserveUnanswered, Settle,
};

/// Defines the table, and a function of the suite for each row.
macro_rules! scenarios {
    ($($(#[$doc:meta])* $name:ident: [$($step:expr),* $(,)?] => $expect:expr;)*) => {
        /// Every row of the table.
        pub const SCENARIOS: &[Scenario] =
            &[$(Scenario { name: stringify!($name), steps: &[$($step),*], expect: $expect }),*];

        $(
            $(#[$doc])*
            pub async fn $name(world: &dyn KeyPoolWorld) -> PortResult<()> {
                run(stringify!($name), world).await
            }
        )*
    };
}

scenarios! {
    /// The hold of a call that is never made ends by itself, and counts until a reading.
    a_lost_reply_of_a_reserve: [ReserveUnanswered(30), Pass(20), Reserve(40), Pass(15)]
        => Expect { held: 70, unconfirmed: 30, in_flight: 1, free: 30, ..OPEN };
    /// The reading shows that it was never billed.
    a_lost_reply_of_a_reserve_and_a_reading: [ReserveUnanswered(30), Pass(35), Claim(100), Observe(0, 0)] => OPEN;
    /// The caller settles again, and nothing is counted twice.
    a_lost_reply_of_a_settlement: [Reserve(30), Settle(0, Answered(5)), Settle(0, Answered(5))]
        => Expect { spent: 5, held: 30, unconfirmed: 30, free: 65, ..OPEN };
    /// Two processes each settle the call because each assumes that the other has crashed.
    two_processes_replay_one_settlement: [Reserve(30), Settle(0, Lost), Reopen, Settle(0, Lost), Reopen, Settle(0, Lost)]
        => Expect { held: 30, unconfirmed: 30, free: 70, ..OPEN };
    /// The first settlement counts: points that were released are not held again.
    a_replay_with_another_outcome: [Reserve(30), Settle(0, NotBilled), Reopen, Settle(0, Lost)] => OPEN;
    /// Nothing was billed. The points are only unavailable until the reading.
    a_crash_between_reserve_and_call: [Reserve(30), Reopen, NoClaim(100), Pass(35), Claim(100), Observe(0, 0)] => OPEN;
    /// The call was billed, and the reading shows how much.
    a_crash_after_the_call: [Reserve(30), Reopen, Pass(35), Claim(100), Observe(0, 12)]
        => Expect { spent: 12, free: 88, ..OPEN };
    /// Until the reading, no other process gets the crashed process's points.
    a_crash_of_a_process_that_held_everything: [Reserve(100), Reopen, Refuse(1), Pass(35), Refuse(1)]
        => Expect { held: 100, unconfirmed: 100, free: 0, ..OPEN };
    /// Its claim lapses, and another process reads.
    a_crash_of_a_reader: [Pass(3_605), Claim(0), Reopen, NoClaim(0), Pass(LEASE.as_secs()), Claim(0), Observe(1, 0)]
        => Expect { windows: 1, ..OPEN };
    /// When its late result arrives after another process's reading, it lowers nothing.
    a_reader_whose_claim_lapsed:
        [Pass(3_605), Claim(0), Pass(LEASE.as_secs()), Reopen, Claim(0), Observe(1, 10), Observe(0, 5)]
        => Expect { spent: 10, free: 90, windows: 1, ..OPEN };
    /// The claim is free at once, for another process too.
    a_failed_reading: [Pass(3_605), Claim(0), ObserveFailed(0), Reopen, Claim(0), Observe(1, 0)]
        => Expect { windows: 1, ..OPEN };
    /// The call may be billed to either window, so it is held in both.
    a_reset_while_a_call_is_in_flight: [Pass(3_590), Reserve(30), Pass(15), Claim(0), Observe(0, 0)]
        => Expect { held: 30, in_flight: 1, free: 70, windows: 1, ..OPEN };
    /// The reading of the new window started after the call's end, so it includes the call if it was billed there.
    a_reset_while_a_call_is_unconfirmed: [Pass(3_580), Reserve(30), Settle(0, Lost), Pass(25), Claim(0), Observe(0, 8)]
        => Expect { spent: 8, free: 92, windows: 1, ..OPEN };
    /// Its counter is about expired points; its hold waits for a reading of the new window.
    a_late_answer_of_the_old_window:
        [Pass(3_590), Reserve(30), Pass(15), Claim(0), Observe(0, 2), Settle(0, AnsweredAgo(99, 10))]
        => Expect { spent: 2, held: 30, unconfirmed: 30, free: 68, windows: 1, ..OPEN };
    /// By that clock the window would end later than it does. The earliest estimate counts, and the next window is
    /// found on time.
    a_clock_that_is_ahead: [Reserve(30), Settle(0, AnsweredAhead(5, 40)), Pass(3_602), Claim(0), Observe(0, 0)]
        => Expect { windows: 1, ..OPEN };
    /// The key closes too early, and a reading opens the same window again.
    a_clock_that_is_behind: [Reserve(30), Settle(0, AnsweredAhead(5, -40)), Pass(3_570), Refuse(1), Claim(0), Observe(0, 7)]
        => Expect { spent: 7, free: 93, ..OPEN };
    /// The key grants nothing while it is retired, and still has its calls when it comes back.
    a_key_retired_with_a_hold_and_brought_back:
        [Reserve(30), Configure(&["b"]), Refuse(1), Reopen, Settle(0, Answered(5)), Configure(&["a", "b"])]
        => Expect { spent: 5, held: 30, unconfirmed: 30, free: 65, ..OPEN };
    /// The key is not read while it is paused, and must be read afterwards before it grants points.
    a_pause_across_the_reset:
        [Pass(3_590), Pause(60), Pass(15), Refuse(1), NoClaim(0), Pass(45), Refuse(1), Claim(0), Observe(0, 3)]
        => Expect { spent: 3, free: 97, windows: 1, ..OPEN };
    /// The reading may have been in flight when the second call was billed: it confirms only the first.
    a_reading_that_started_before_the_end_of_a_call:
        [Reserve(50), Reserve(50), Settle(0, Lost), Claim(50), Settle(1, Lost), Observe(0, 40)]
        => Expect { spent: 40, held: 50, unconfirmed: 50, free: 10, ..OPEN };
    /// Other clients have used the key: it rests for the time that the upstream named, and a reading shows what they
    /// spent.
    a_refusal_and_a_reading:
        [Reserve(30), Settle(0, Refused(60)), Refuse(1), Pass(60), Reserve(10), Settle(1, Lost), Claim(100), Observe(0, 55)]
        => Expect { spent: 55, free: 45, ..OPEN };
    /// Calls, their order and their ends are all in the store.
    a_store_reopened_in_mid_flight:
        [Reserve(30), Reserve(20), Settle(0, Answered(4)), Reopen, Settle(1, Answered(9)), Reopen, Reserve(40)]
        => Expect { spent: 9, held: 90, unconfirmed: 50, in_flight: 1, free: 1, ..OPEN };
    /// The call's hold had ended by itself. Its counter counts, and its hold waits for a later one.
    an_answer_after_the_hold_has_ended: [Reserve(30), Pass(40), Settle(0, Answered(12))]
        => Expect { spent: 12, held: 30, unconfirmed: 30, free: 58, ..OPEN };
    /// A report that the call was not billed counts however late it comes.
    a_call_that_was_not_billed_after_the_hold_has_ended: [Reserve(30), Pass(40), Reopen, Settle(0, NotBilled)] => OPEN;
}

/// A scenario in progress.
struct ScenarioRun<'a> {
    fixture: Fixture<'a>,
    calls: Vec<Grant>,
    claims: Vec<ReadingClaim>,
    began: jiff::Timestamp,
}

async fn run(name: &str, world: &dyn KeyPoolWorld) -> PortResult<()> {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).expect("a row of that name");
    let began = world.time().now();
    let fixture = Fixture::with_keys(world, &[("a", 100)]).await?;
    let mut run = ScenarioRun { fixture, calls: Vec::new(), claims: Vec::new(), began };
    for step in scenario.steps {
        if let Pass(seconds) = step {
            pass!(world, Duration::from_secs(*seconds));
        } else {
            run.step(*step).await?;
        }
    }
    let (status, windows) = (run.fixture.status("a").await?, run.fixture.pool.windows(&key("a"), 10).await?);
    let whole = |points: Points| points.micros() / Points::whole(1).micros();
    let seen = Expect {
        state: status.state,
        spent: whole(status.spent),
        held: whole(status.held),
        unconfirmed: whole(status.unconfirmed),
        in_flight: status.in_flight,
        free: whole(status.free),
        windows: windows.len(),
    };
    assert_eq!(seen, scenario.expect, "{name}");
    Ok(())
}

impl ScenarioRun<'_> {
    async fn step(&mut self, step: Step) -> PortResult<()> {
        let now = self.fixture.world.time().now();
        let pool = self.fixture.pool.clone();
        match step {
            Reserve(points) => self.calls.push(self.fixture.grant(points).await?),
            ReserveUnanswered(points) => drop(self.fixture.grant(points).await?),
            Refuse(points) => drop(self.fixture.refusal(points).await?),
            Settle(call, outcome) => pool.settle(&self.calls[call].hold, self.outcome(outcome)).await.map(drop)?,
            Reopen => self.fixture.pool = self.fixture.world.reopen(LedgerSettings::without_reserve(WINDOW)).await?,
            // Not a step of the store: the caller lets the time pass.
            Pass(_) => {}
            Claim(needed) => {
                let claim = pool.claim_reading(Points::whole(needed), LEASE).await?;
                self.claims.push(claim.expect("a reading that helps"));
            }
            NoClaim(needed) => assert_eq!(pool.claim_reading(Points::whole(needed), LEASE).await?, None),
            Observe(claim, spent) => {
                pool.observe(&self.claims[claim], CallEnd::Answered(self.reading(spent, now))).await.map(drop)?
            }
            ObserveFailed(claim) => pool.observe(&self.claims[claim], CallEnd::Lost).await.map(drop)?,
            Pause(seconds) => {
                assert!(pool.pause(&key("a"), Some(after(now, Duration::from_secs(seconds)))).await?);
            }
            Configure(keys) => self.fixture.configure(keys).await?,
        }
        Ok(())
    }

    fn outcome(&self, outcome: CallOutcome) -> CallEnd {
        let now = self.fixture.world.time().now();
        match outcome {
            Answered(spent) => CallEnd::Answered(self.reading(spent, now)),
            AnsweredAgo(spent, seconds) => {
                CallEnd::Answered(self.reading(spent, before(now, Duration::from_secs(seconds))))
            }
            AnsweredAhead(spent, seconds) => {
                let skew = Duration::from_secs(seconds.unsigned_abs());
                let received_at = if seconds < 0 { before(now, skew) } else { after(now, skew) };
                CallEnd::Answered(Reading { received_at, ..self.reading(spent, now) })
            }
            Lost => CallEnd::Lost,
            NotBilled => CallEnd::NotBilled,
            Refused(seconds) => {
                CallEnd::Refused { until: after(now, Duration::from_secs(seconds)), why: KeyRefusal::Points }
            }
        }
    }

    /// The upstream's answer at `at`. Its windows follow each other without a gap.
    fn reading(&self, spent: u64, at: jiff::Timestamp) -> Reading {
        let into_window = between(self.began, at).as_secs() % WINDOW.as_secs();
        let resets_in = Duration::from_secs(WINDOW.as_secs() - into_window);
        Reading { limit: Points::whole(100), spent: Points::whole(spent), resets_in, received_at: at }
    }
}
