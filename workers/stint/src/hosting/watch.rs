//! Observes fleets while they run. A failed look is skipped; the fleet is not affected.

use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use stint_core::clock::between;

use crate::context::Context;
use crate::fleets::fleet::{Running, Work};
use crate::wiring::QueueBackend;

/// What ends a watch, and how often fleets are looked at.
#[derive(Clone, Copy)]
pub(crate) struct Until {
    /// Whether it ends when no work is left. Otherwise only a signal ends it.
    pub(crate) drained: bool,
    pub(crate) looks: Looks,
}

/// How often fleets are looked at.
#[derive(Clone, Copy)]
pub(crate) struct Looks {
    /// The time between two looks.
    every: Duration,
    /// How long there must have been no work left before a fleet counts as done.
    settled: Duration,
}

/// For files, which are cheap to read.
const OF_FILES: Looks = Looks { every: Duration::from_secs(1), settled: Duration::ZERO };

/// For a demo.
const OFTEN: Looks = Looks { every: Duration::from_millis(250), settled: Duration::ZERO };

/// For SQS, where a look costs two paid requests per queue, and where counts are accurate a minute after the last
/// change.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>
const OF_SQS: Looks = Looks { every: Duration::from_secs(15), settled: Duration::from_secs(60) };

/// How long looks may fail if the command is to end by itself. A database that elects a new primary is available again
/// long before.
const BLIND: Duration = Duration::from_secs(5 * 60);

impl Looks {
    /// Returns the intervals for this kind of queue.
    pub(crate) fn at(queues: QueueBackend) -> Looks {
        if queues == QueueBackend::Sqs { OF_SQS } else { OF_FILES }
    }

    /// Returns the intervals for files with an attentive user.
    pub(crate) fn often() -> Looks {
        OFTEN
    }

    /// Returns the time from `now` to the next look of a wait that ends at `end`.
    pub(crate) fn until_next(self, now: Timestamp, end: Timestamp) -> Duration {
        self.every.min(between(now, end))
    }
}

/// Shows progress. Ends only if it is to end when everything is done; fails if what remains cannot be done.
pub(super) async fn watch(
    running: &mut [Box<dyn Running>],
    context: &Context,
    Until { drained: until_drained, looks }: Until,
) -> anyhow::Result<()> {
    let (mut done_since, mut blind_since) = (None, None);
    loop {
        let now = context.clock.now();
        match look(running, now, until_drained).await {
            Ok(work) => {
                if blind_since.take().is_some() {
                    tracing::warn!("the fleet can be looked at again");
                }
                done_since = (!matches!(work, Work::UnderWay)).then(|| done_since.unwrap_or(now));
                if until_drained && done_since.is_some_and(|since| between(since, now) >= looks.settled) {
                    running.iter_mut().for_each(|fleet| fleet.finish());
                    return work.ended();
                }
            }
            Err(error) => {
                if blind_since.is_none() {
                    tracing::warn!("cannot look at the fleet, which goes on: {error:#}");
                }
                done_since = None;
                if until_drained && between(*blind_since.get_or_insert(now), now) >= BLIND {
                    let minutes = BLIND.as_secs() / 60;
                    return Err(error).context(format!(
                        "the fleet could not be looked at for {minutes} minutes, so it is not known whether all is done"
                    ));
                }
            }
        }
        context.clock.sleep(looks.every).await;
    }
}

/// Looks at every fleet, even if a look at one of them fails. Returns their combined state if the watch is to end.
async fn look(running: &mut [Box<dyn Running>], now: Timestamp, until_drained: bool) -> anyhow::Result<Work> {
    let (mut work, mut failed) = (Work::Done, None);
    for fleet in running {
        let looked = match fleet.look(now).await {
            Ok(()) if until_drained => fleet.work(now).await,
            looked => looked.map(|()| Work::UnderWay),
        };
        match looked {
            Ok(one) => work = work.and(one),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(work), Err)
}

impl Work {
    /// Combines the states of two fleets: if either has work, there is work, and a stopped fleet is never done.
    fn and(self, other: Work) -> Work {
        match (self, other) {
            (Work::UnderWay, _) | (_, Work::UnderWay) => Work::UnderWay,
            (Work::Stopped(reason), _) | (_, Work::Stopped(reason)) => Work::Stopped(reason),
            (Work::Done, Work::Done) => Work::Done,
        }
    }

    fn ended(self) -> anyhow::Result<()> {
        if let Work::Stopped(reason) = self {
            bail!("it stopped with work left: {reason}");
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
    struct Scripted(VecDeque<Result<Work, &'static str>>);

    #[async_trait(?Send)]
    impl Running for Scripted {
        async fn start(&self, _: &Context) -> anyhow::Result<()> {
            Ok(())
        }

        async fn say_what_happens(&self, _: &Context) -> anyhow::Result<()> {
            Ok(())
        }

        async fn look(&mut self, _: Timestamp) -> anyhow::Result<()> {
            Ok(())
        }

        async fn work(&mut self, _: Timestamp) -> anyhow::Result<Work> {
            let seen = if self.0.len() > 1 { self.0.pop_front() } else { self.0.front().cloned() };
            seen.unwrap().map_err(|reason| anyhow!(reason))
        }

        fn finish(&mut self) {}
    }

    /// Returns how a watch that is to end by itself ends, and after how many seconds.
    fn ended(fleets: &[&[Result<Work, &'static str>]]) -> (Result<(), String>, u64) {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let context = Context { home: "home".into(), output: Output::new(true), clock: Arc::new(clock.clone()) };
        let scripted = |script: &&[Result<Work, &'static str>]| Scripted(script.iter().cloned().collect());
        let mut running: Vec<Box<dyn Running>> =
            fleets.iter().map(|script| Box::new(scripted(script)) as Box<dyn Running>).collect();
        let ended = drive(&clock, watch(&mut running, &context, Until { drained: true, looks: OF_FILES }));
        (ended.map_err(|error| format!("{error:#}")), between(Timestamp::UNIX_EPOCH, clock.now()).as_secs())
    }

    #[test]
    fn a_look_that_fails_ends_nothing() {
        let blind = vec![Err("no primary"); 299];
        let script = [&[Ok(Work::UnderWay)], &blind[..], &[Ok(Work::UnderWay), Ok(Work::Done)]].concat();
        assert_eq!(ended(&[&script]), (Ok(()), 301));
    }

    #[test]
    fn a_wait_for_the_end_fails_when_the_fleet_cannot_be_looked_at() {
        let (ended, seconds) = ended(&[&[Ok(Work::Done)], &[Ok(Work::UnderWay), Err("no primary")]]);
        let expected =
            "the fleet could not be looked at for 5 minutes, so it is not known whether all is done: no primary";
        assert_eq!(ended, Err(expected.to_owned()));
        assert_eq!(seconds, 301);
    }

    #[test]
    fn sqs_is_looked_at_four_times_a_minute_and_at_the_end_of_a_wait() {
        let end = after(Timestamp::UNIX_EPOCH, Duration::from_secs(20));
        let at = |seconds| after(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds));
        let next = |queues, seconds| Looks::at(queues).until_next(at(seconds), end).as_secs();
        assert_eq!([0, 15].map(|seconds| next(QueueBackend::Sqs, seconds)), [15, 5]);
        assert_eq!(next(QueueBackend::Sqlite, 0), 1);
    }

    #[test]
    fn what_has_stopped_is_not_done() {
        let stopped = || Ok(Work::Stopped("the client is locked out".to_owned()));
        let (first, second) = ([stopped()], [Ok(Work::UnderWay), Ok(Work::UnderWay), Ok(Work::Done)]);
        let expected = Err("it stopped with work left: the client is locked out".to_owned());
        assert_eq!(ended(&[&first, &second]), (expected, 2));
    }
}
