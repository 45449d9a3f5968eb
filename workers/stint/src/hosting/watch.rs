//! Observes fleets while they run. An observation that fails is skipped; the fleet is not affected.

use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use stint_core::clock::between;

use crate::context::Context;
use crate::fleets::fleet::{RunningFleet, WorkState};
use crate::wiring::QueueBackend;

/// What ends a watch, and how often fleets are observed.
#[derive(Clone, Copy)]
pub(crate) struct WatchOptions {
    /// Whether it ends when no work is left. Otherwise only a signal ends it.
    pub(crate) until_drained: bool,
    pub(crate) interval: PollInterval,
}

/// How often fleets are observed.
#[derive(Clone, Copy)]
pub(crate) struct PollInterval {
    /// The time between two observations.
    every: Duration,
    /// How long there must have been no work left before a fleet counts as done.
    settle: Duration,
}

/// For files, which are cheap to read.
const FILES: PollInterval = PollInterval { every: Duration::from_secs(1), settle: Duration::ZERO };

/// For a demo.
const DEMO: PollInterval = PollInterval { every: Duration::from_millis(250), settle: Duration::ZERO };

/// For SQS, where an observation costs two paid requests per queue, and where counts are accurate a minute after the last
/// change.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>
const SQS: PollInterval = PollInterval { every: Duration::from_secs(15), settle: Duration::from_secs(60) };

/// How long observations may fail if the command is to end by itself. A database that elects a new primary is available again
/// long before.
const MAX_FAILURE_TIME: Duration = Duration::from_secs(5 * 60);

impl PollInterval {
    /// Returns the intervals for this kind of queue.
    pub(crate) fn for_queues(queues: QueueBackend) -> PollInterval {
        if queues == QueueBackend::Sqs { SQS } else { FILES }
    }

    /// Returns the intervals for files with an attentive user.
    pub(crate) fn for_demo() -> PollInterval {
        DEMO
    }

    /// Returns the time from `now` to the next observation of a wait that ends at `end`.
    pub(crate) fn until_next(self, now: Timestamp, end: Timestamp) -> Duration {
        self.every.min(between(now, end))
    }
}

/// Shows progress. Ends only if it is to end when everything is done; fails if what remains cannot be done.
pub(super) async fn watch(
    running: &mut [Box<dyn RunningFleet>],
    context: &Context,
    WatchOptions { until_drained, interval }: WatchOptions,
) -> anyhow::Result<()> {
    let (mut done_since, mut failing_since) = (None, None);
    loop {
        let now = context.clock.now();
        match observe_all(running, now, until_drained).await {
            Ok(work) => {
                if failing_since.take().is_some() {
                    tracing::warn!("the stores can be read again");
                }
                done_since = (!matches!(work, WorkState::Working)).then(|| done_since.unwrap_or(now));
                if until_drained && done_since.is_some_and(|since| between(since, now) >= interval.settle) {
                    running.iter_mut().for_each(|fleet| fleet.close_display());
                    return work.into_result();
                }
            }
            Err(error) => {
                if failing_since.is_none() {
                    tracing::warn!("cannot read the stores; the fleet continues: {error:#}");
                }
                done_since = None;
                if until_drained && between(*failing_since.get_or_insert(now), now) >= MAX_FAILURE_TIME {
                    let minutes = MAX_FAILURE_TIME.as_secs() / 60;
                    return Err(error).context(format!(
                        "the stores could not be read for {minutes} minutes, so it is unknown whether all work is done"
                    ));
                }
            }
        }
        context.clock.sleep(interval.every).await;
    }
}

/// Observes every fleet, even if the observation of one of them fails. Returns their combined state if the watch is to end.
async fn observe_all(
    running: &mut [Box<dyn RunningFleet>],
    now: Timestamp,
    until_drained: bool,
) -> anyhow::Result<WorkState> {
    let (mut work, mut failed) = (WorkState::Done, None);
    for fleet in running {
        let observed = match fleet.observe(now).await {
            Ok(()) if until_drained => fleet.work_state(now).await,
            observed => observed.map(|()| WorkState::Working),
        };
        match observed {
            Ok(one) => work = work.and(one),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(work), Err)
}

impl WorkState {
    /// Combines the states of two fleets: if either has work, there is work, and a stopped fleet is never done.
    fn and(self, other: WorkState) -> WorkState {
        match (self, other) {
            (WorkState::Working, _) | (_, WorkState::Working) => WorkState::Working,
            (WorkState::Stopped(reason), _) | (_, WorkState::Stopped(reason)) => WorkState::Stopped(reason),
            (WorkState::Done, WorkState::Done) => WorkState::Done,
        }
    }

    fn into_result(self) -> anyhow::Result<()> {
        if let WorkState::Stopped(reason) = self {
            bail!("it stopped before all work was done: {reason}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;

    use anyhow::anyhow;
    use async_trait::async_trait;
    use stint_core::clock::{Clock, ManualClock, after};
    use stint_testkit::drive;

    use super::*;
    use crate::output::Output;

    /// A fleet that goes through a list of states, and stays in the last one.
    struct Scripted(VecDeque<Result<WorkState, &'static str>>);

    #[async_trait(?Send)]
    impl RunningFleet for Scripted {
        async fn start(&self, _: &Context) -> anyhow::Result<()> {
            Ok(())
        }

        async fn print_plan(&self, _: &Context) -> anyhow::Result<()> {
            Ok(())
        }

        async fn observe(&mut self, _: Timestamp) -> anyhow::Result<()> {
            Ok(())
        }

        async fn work_state(&mut self, _: Timestamp) -> anyhow::Result<WorkState> {
            let seen = if self.0.len() > 1 { self.0.pop_front() } else { self.0.front().cloned() };
            seen.unwrap().map_err(|reason| anyhow!(reason))
        }

        fn close_display(&mut self) {}
    }

    /// Returns how a watch that is to end by itself ends, and after how many seconds.
    fn ended(fleets: &[&[Result<WorkState, &'static str>]]) -> (Result<(), String>, u64) {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let context = Context { home: "home".into(), output: Output::new(true), clock: Arc::new(clock.clone()) };
        let scripted = |script: &&[Result<WorkState, &'static str>]| Scripted(script.iter().cloned().collect());
        let mut running: Vec<Box<dyn RunningFleet>> =
            fleets.iter().map(|script| Box::new(scripted(script)) as Box<dyn RunningFleet>).collect();
        let ended = drive(&clock, watch(&mut running, &context, WatchOptions { until_drained: true, interval: FILES }));
        (ended.map_err(|error| format!("{error:#}")), between(Timestamp::UNIX_EPOCH, clock.now()).as_secs())
    }

    #[test]
    fn an_observation_that_fails_ends_nothing() {
        let failures = vec![Err("no primary"); 299];
        let script =
            [&[Ok(WorkState::Working)], &failures[..], &[Ok(WorkState::Working), Ok(WorkState::Done)]].concat();
        assert_eq!(ended(&[&script]), (Ok(()), 301));
    }

    #[test]
    fn a_wait_for_the_end_fails_when_the_stores_cannot_be_read() {
        let (ended, seconds) = ended(&[&[Ok(WorkState::Done)], &[Ok(WorkState::Working), Err("no primary")]]);
        let expected =
            "the stores could not be read for 5 minutes, so it is unknown whether all work is done: no primary";
        assert_eq!(ended, Err(expected.to_owned()));
        assert_eq!(seconds, 301);
    }

    #[test]
    fn sqs_is_read_four_times_a_minute_and_at_the_end_of_a_wait() {
        let end = after(Timestamp::UNIX_EPOCH, Duration::from_secs(20));
        let at = |seconds| after(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds));
        let next = |queues, seconds| PollInterval::for_queues(queues).until_next(at(seconds), end).as_secs();
        assert_eq!([0, 15].map(|seconds| next(QueueBackend::Sqs, seconds)), [15, 5]);
        assert_eq!(next(QueueBackend::Sqlite, 0), 1);
    }

    #[test]
    fn a_stopped_fleet_is_not_done() {
        let stopped = || Ok(WorkState::Stopped("the client is locked out".to_owned()));
        let (first, second) = ([stopped()], [Ok(WorkState::Working), Ok(WorkState::Working), Ok(WorkState::Done)]);
        let expected = Err("it stopped before all work was done: the client is locked out".to_owned());
        assert_eq!(ended(&[&first, &second]), (expected, 2));
    }
}
