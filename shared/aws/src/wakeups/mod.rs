//! The wake-up port on Amazon EventBridge Scheduler.
//!
//! What may happen between any two lines:
//! * Two processes set the same wake-up: one creates it, and the other gets a conflict and updates it. The last one
//!   wins, as the port requires.
//! * A one-shot wake-up fires while it is being replaced: the update finds it, or finds it gone and creates it again.
//!   It is not documented whether Scheduler, when it deletes the wake-up after its firing, also deletes an update made
//!   in between. The sweep that makes up for a lost wake-up makes up for this too.

mod expression;
mod input;
mod schedules;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::error::{BuildError, SdkError};
use aws_sdk_scheduler::primitives::DateTime;
use aws_sdk_scheduler::types::{ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, Target};
use jiff::Timestamp;
use stint_core::clock::{Clock, after};
use stint_core::ports::{PortError, PortResult, Schedule, Wakeup, Wakeups};
use stint_core::schedule::{slot_after, slot_at};
use stint_core::worker::WorkerId;

use crate::config::FunctionTemplate;
use crate::error::port_error;
use expression::{When, is_rate, whole_seconds};

pub(crate) use schedules::{Groups, ScheduleReader};

/// How far ahead a wake-up for a time in the past is set. It must still be ahead when the request arrives, because
/// Scheduler's behaviour for a time that has passed is not documented.
const SOONEST: Duration = Duration::from_secs(5);

/// The longest name of a schedule. It consists of letters, digits, `-`, `_` and `.`.
/// <https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html>
const MAX_NAME: usize = 64;

/// How many times a wake-up is set that another process changes at the same time, and the wait in between.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// The wake-ups of one fleet: a group of schedules that contains nothing else. The fleet's name is therefore not part of a
/// schedule's name.
///
/// Times are stored in whole seconds, rounded up; Scheduler fires within the minute that follows. Periods are whole
/// minutes. The target of a wake-up is the worker's function, which Scheduler calls itself.
pub struct SchedulerWakeups {
    reader: ScheduleReader,
    groups: Groups,
    role: String,
}

impl SchedulerWakeups {
    /// Creates wake-ups in their group. Scheduler calls a worker's `function` with the role `role`.
    pub(crate) fn new(
        client: Client,
        groups: Groups,
        function: FunctionTemplate,
        role: String,
        clock: Arc<dyn Clock>,
    ) -> SchedulerWakeups {
        SchedulerWakeups { reader: ScheduleReader { client, function, clock }, groups, role }
    }

    /// Creates or replaces the schedule.
    async fn put(&self, schedule: &NewSchedule<'_>) -> PortResult<()> {
        for round in 1..=TRIES {
            if self.update(schedule).await? || self.create(schedule).await? {
                return Ok(());
            }
            self.reader.clock.sleep(PAUSE * round).await;
        }
        Err(PortError::backend(schedule.context(), "another process changed it each time"))
    }

    /// Updates the schedule. Returns `false` if there is none, or if another process is changing it.
    async fn update(&self, schedule: &NewSchedule<'_>) -> PortResult<bool> {
        let call = self
            .reader
            .client
            .update_schedule()
            .name(schedule.name)
            .group_name(&self.groups.wakeups)
            .schedule_expression(schedule.when.expression())
            .set_start_date(schedule.start_date())
            .set_action_after_completion(schedule.action())
            .flexible_time_window(schedule.window()?)
            .target(self.target(schedule)?);
        match call.send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error))
                if error.err().is_resource_not_found_exception() || error.err().is_conflict_exception() =>
            {
                Ok(false)
            }
            Err(error) => Err(port_error(schedule.context(), error)),
        }
    }

    /// Creates the schedule. Returns `false` if there is one already.
    async fn create(&self, schedule: &NewSchedule<'_>) -> PortResult<bool> {
        let call = self
            .reader
            .client
            .create_schedule()
            .name(schedule.name)
            .group_name(&self.groups.wakeups)
            .schedule_expression(schedule.when.expression())
            .set_start_date(schedule.start_date())
            .set_action_after_completion(schedule.action())
            .flexible_time_window(schedule.window()?)
            .target(self.target(schedule)?);
        match call.send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error)) if error.err().is_conflict_exception() => Ok(false),
            Err(error) => Err(port_error(schedule.context(), error)),
        }
    }

    fn target(&self, schedule: &NewSchedule<'_>) -> PortResult<Target> {
        let target = Target::builder()
            .arn(self.reader.function.fill(schedule.worker))
            .role_arn(&self.role)
            .input(input::template(schedule.name, schedule.worker));
        target.build().map_err(|error| schedule.incomplete(error))
    }

    /// Sets a recurring schedule to begin at `first`, unless one of the same period whose next firing fits is there
    /// already.
    async fn set_rate(
        &self,
        name: &str,
        worker: &WorkerId,
        period: Duration,
        fits: impl Fn(Timestamp) -> bool + Send,
        first: Timestamp,
    ) -> PortResult<()> {
        if !is_rate(period) {
            let why = "EventBridge Scheduler keeps whole minutes";
            return Err(PortError::Invalid(format!(
                "wake-up '{name}': a period of {period:?} is not supported: {why}"
            )));
        }
        let found = self.reader.get(&self.groups.wakeups, name).await?;
        let kept = found.as_ref().and_then(|schedule| self.reader.read(name, schedule));
        let kept = kept.filter(|wakeup| wakeup.period == Some(period) && fits(wakeup.at));
        let target = found.as_ref().and_then(|schedule| schedule.target()).map(Target::arn);
        let calls_its_function = target == Some(self.reader.function.fill(worker).as_str());
        if calls_its_function && kept.as_ref().is_some_and(|wakeup| wakeup.worker == *worker) {
            return Ok(());
        }
        let start = kept.map_or_else(|| whole_seconds(first), |wakeup| wakeup.at);
        self.put(&NewSchedule::new(name, worker, When::Rate(period), Some(start))?).await
    }
}

#[async_trait]
impl Wakeups for SchedulerWakeups {
    async fn once(&self, name: &str, worker: &WorkerId, at: Timestamp) -> PortResult<()> {
        let at = at.max(after(self.reader.clock.now(), SOONEST));
        self.put(&NewSchedule::new(name, worker, When::At(at), None)?).await
    }

    async fn every(&self, name: &str, worker: &WorkerId, period: Duration) -> PortResult<()> {
        self.set_rate(name, worker, period, |_| true, after(self.reader.clock.now(), period)).await
    }

    async fn every_aligned(&self, name: &str, worker: &WorkerId, period: Duration) -> PortResult<()> {
        let is_aligned = |at| slot_at(period, at) == at;
        // The request must arrive before the first firing.
        let first = slot_after(period, after(self.reader.clock.now(), SOONEST));
        self.set_rate(name, worker, period, is_aligned, first).await
    }

    async fn cancel(&self, _: &str, name: &str) -> PortResult<()> {
        match self.reader.client.delete_schedule().name(name).group_name(&self.groups.wakeups).send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) if error.err().is_resource_not_found_exception() => Ok(()),
            Err(error) => Err(port_error(format!("cancel wake-up '{name}'"), error)),
        }
    }

    async fn list(&self) -> PortResult<Vec<Wakeup>> {
        let mut all = Vec::new();
        let group = &self.groups.wakeups;
        let missing = || PortError::backend(format!("list the wake-ups of '{group}'"), "there is no such group");
        for (name, schedule) in self.reader.group(group).await?.ok_or_else(missing)? {
            match self.reader.read(&name, &schedule) {
                Some(wakeup) => all.push(wakeup),
                None => tracing::debug!(name, "a schedule of the group is not a wake-up"),
            }
        }
        all.sort_by(|one, two| (one.at, &one.name).cmp(&(two.at, &two.name)));
        Ok(all)
    }

    async fn schedules(&self) -> PortResult<Vec<Schedule>> {
        let mut all = self.reader.list(&self.groups.wakeups).await?;
        if let Some(recurring) = &self.groups.recurring {
            all.extend(self.reader.list(recurring).await?);
        }
        all.sort_by(|one, two| (one.next_due, &one.name).cmp(&(two.next_due, &two.name)));
        Ok(all)
    }
}

/// A schedule to write.
struct NewSchedule<'a> {
    name: &'a str,
    worker: &'a WorkerId,
    when: When,
    /// The first firing of a recurring schedule. Without it Scheduler would fire at once.
    start: Option<Timestamp>,
}

impl<'a> NewSchedule<'a> {
    fn new(name: &'a str, worker: &'a WorkerId, when: When, start: Option<Timestamp>) -> PortResult<NewSchedule<'a>> {
        let allowed = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(allowed) {
            let rule = format!("1 to {MAX_NAME} letters, digits, '-', '_' and '.' are allowed");
            return Err(PortError::Invalid(format!("wake-up '{name}': not a name that Scheduler takes: {rule}")));
        }
        Ok(NewSchedule { name, worker, when, start })
    }

    /// Makes Scheduler delete a one-shot schedule after it has fired.
    fn action(&self) -> Option<ActionAfterCompletion> {
        matches!(self.when, When::At(_)).then_some(ActionAfterCompletion::Delete)
    }

    fn start_date(&self) -> Option<DateTime> {
        self.start.map(|start| DateTime::from_secs(start.as_second()))
    }

    /// Allows no flexibility: points that are available again should not wait.
    fn window(&self) -> PortResult<FlexibleTimeWindow> {
        let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off);
        window.build().map_err(|error| self.incomplete(error))
    }

    fn incomplete(&self, error: BuildError) -> PortError {
        PortError::backend(self.context(), error)
    }

    fn context(&self) -> String {
        format!("set wake-up '{}'", self.name)
    }
}
