//! Reads the schedules of EventBridge Scheduler: wake-ups, and the recurring ones of infrastructure.

use std::sync::Arc;

use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::error::SdkError;
use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::primitives::DateTime;
use aws_sdk_scheduler::types::{ScheduleState, Target};
use jiff::Timestamp;
use stint_core::clock::Clock;
use stint_core::ports::{PortResult, Schedule, Wakeup};
use stint_core::schedule::slot_after;
use stint_core::worker::WorkerId;

use super::expression::{When, aligned_period, next_firing};
use super::input;
use crate::config::FunctionTemplate;
use crate::error::{code, port_error};

/// The error for a group that does not exist.
const NO_SUCH_GROUP: &str = "ResourceNotFoundException";

/// The groups of schedules of a fleet.
pub(crate) struct Groups {
    /// The wake-ups, which workers set.
    pub(crate) wakeups: String,
    /// The recurring schedules, which infrastructure creates, if it is known where.
    pub(crate) recurring: Option<String>,
}

/// Reads schedules.
pub(crate) struct ScheduleReader {
    pub(crate) client: Client,
    pub(crate) function: FunctionTemplate,
    pub(crate) clock: Arc<dyn Clock>,
}

impl ScheduleReader {
    /// Returns the schedules of a group that start a worker; none if there is no such group.
    pub(crate) async fn list(&self, group: &str) -> PortResult<Vec<Schedule>> {
        let all = self.group(group).await?.unwrap_or_default();
        Ok(all.iter().filter_map(|(name, schedule)| self.view(group, name, schedule)).collect())
    }

    /// Returns the schedules of a group by name, or `None` if there is no such group. A schedule that has fired and was
    /// deleted meanwhile is left out.
    pub(super) async fn group(&self, group: &str) -> PortResult<Option<Vec<(String, GetScheduleOutput)>>> {
        let mut pages = self.client.list_schedules().group_name(group).into_paginator().items().send();
        let mut all = Vec::new();
        while let Some(summary) = pages.next().await {
            let summary = match summary {
                Ok(summary) => summary,
                Err(error) if code(&error) == Some(NO_SUCH_GROUP) => return Ok(None),
                Err(error) => return Err(port_error(format!("list the schedules of '{group}'"), error)),
            };
            // A summary contains neither the time nor the input.
            let name = summary.name().unwrap_or_default();
            all.extend(self.get(group, name).await?.map(|schedule| (name.to_owned(), schedule)));
        }
        Ok(Some(all))
    }

    pub(super) async fn get(&self, group: &str, name: &str) -> PortResult<Option<GetScheduleOutput>> {
        match self.client.get_schedule().name(name).group_name(group).send().await {
            Ok(schedule) => Ok(Some(schedule)),
            Err(SdkError::ServiceError(error)) if error.err().is_resource_not_found_exception() => Ok(None),
            Err(error) => Err(port_error(format!("read wake-up '{name}'"), error)),
        }
    }

    /// Returns the wake-up that a schedule is, or `None` if Stint did not create it.
    pub(super) fn read(&self, name: &str, schedule: &GetScheduleOutput) -> Option<Wakeup> {
        let worker = self.worker(schedule.target()?)?;
        let (at, period) = match When::parse(schedule.schedule_expression().unwrap_or_default())? {
            When::At(at) => (at, None),
            When::Rate(period) => {
                // A rate without a start date counts from its creation.
                let start = schedule.start_date().or(schedule.creation_date()).and_then(timestamp)?;
                (next_firing(start, period, self.clock.now()), Some(period))
            }
        };
        Some(Wakeup { name: name.to_owned(), worker, at, period })
    }

    fn view(&self, group: &str, name: &str, schedule: &GetScheduleOutput) -> Option<Schedule> {
        let enabled = schedule.state() != Some(&ScheduleState::Disabled);
        let expression = schedule.schedule_expression().unwrap_or_default();
        let aligned = || aligned_period(expression).map(|period| slot_after(period, self.clock.now()));
        let next_due = self.read(name, schedule).map(|wakeup| wakeup.at).or_else(aligned);
        Some(Schedule {
            name: name.to_owned(),
            group: Some(group.to_owned()),
            worker: self.worker(schedule.target()?)?,
            expression: expression.to_owned(),
            enabled,
            next_due: next_due.filter(|_| enabled),
        })
    }

    /// Returns the worker that a schedule calls. Schedules of earlier versions name it without its fleet, which is then taken
    /// from the function's ARN.
    fn worker(&self, target: &Target) -> Option<WorkerId> {
        let worker = input::worker(target.input()?)?;
        let by_function = || Some(WorkerId::read(self.function.fleet(&worker, target.arn())?, worker.as_str()));
        worker.parse().ok().or_else(by_function)
    }
}

fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::from_second(time.secs()).ok()
}
