//! Fleets and their workers as data, with times in seconds.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use stint_core::http::{Access, Cache, Cors, Route, RouteLimit};
use stint_core::listener::{ListenerSpec, Replicas};
use stint_core::schedule::{ActiveHours, Every};
use stint_core::worker::{Trigger, WorkerSpec};

use crate::fleets::FLEETS;
use crate::time_format::format_duration;

#[derive(Serialize)]
pub(super) struct FleetDescription {
    pub(super) fleet: &'static str,
    pub(super) workers: Vec<WorkerDescription>,
    pub(super) queues: Vec<QueueDescription>,
    /// Left out if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) listeners: Vec<ListenerDescription>,
}

/// A listener. It has no Lambda form.
#[derive(Serialize)]
pub(super) struct ListenerDescription {
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    pub(super) replicas: Replicas,
    lambda: bool,
}

impl ListenerDescription {
    fn new(spec: &ListenerSpec) -> ListenerDescription {
        ListenerDescription { name: spec.name, summary: spec.summary, replicas: spec.replicas, lambda: false }
    }

    pub(super) fn runs_on(&self) -> &'static str {
        match self.replicas {
            Replicas::EveryHost => "every host; no Lambda form",
            Replicas::Leader => "one host at a time; no Lambda form",
        }
    }
}

#[derive(Serialize)]
pub(super) struct WorkerDescription {
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    pub(super) triggers: Vec<TriggerDescription>,
    pub(super) concurrency: u32,
    pub(super) timeout_seconds: u64,
}

#[derive(Serialize)]
#[serde(tag = "trigger", rename_all = "snake_case")]
pub(super) enum TriggerDescription {
    Schedule(ScheduleDescription),
    Wakeup,
    Queue { queue: &'static str },
    Http { routes: Vec<RouteDescription> },
}

#[derive(Serialize)]
pub(super) struct RouteDescription {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    body_limit_bytes: usize,
    timeout_seconds: f64,
    access: Access,
    cache: Cache,
    cors: Cors,
    limits: &'static [RouteLimit],
}

/// A schedule. What a plain period does not have is left out.
#[derive(Serialize)]
pub(super) struct ScheduleDescription {
    every_seconds: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    aligned: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    at_start: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    active_hours: Option<ActiveHours>,
}

#[derive(Serialize)]
pub(super) struct QueueDescription {
    pub(super) queue: &'static str,
    pub(super) feeds: &'static str,
    pub(super) batch: usize,
    pub(super) visibility_timeout_seconds: u64,
    pub(super) max_receives: u32,
}

/// Returns the fleets that work today.
pub(super) fn fleets() -> Vec<FleetDescription> {
    FLEETS.iter().map(|row| fleet(row.name(), row.workers(), row.listeners())).collect()
}

/// Describes the routes of all fleets.
pub(super) fn openapi() -> Value {
    let workers = FLEETS.iter().flat_map(|fleet| fleet.workers().iter().copied());
    stint_core::http::openapi("Stint", env!("CARGO_PKG_VERSION"), workers)
}

fn fleet(fleet: &'static str, workers: &[WorkerSpec], listeners: &[ListenerSpec]) -> FleetDescription {
    FleetDescription {
        fleet,
        workers: workers.iter().map(WorkerDescription::new).collect(),
        queues: workers.iter().filter_map(QueueDescription::new).collect(),
        listeners: listeners.iter().map(ListenerDescription::new).collect(),
    }
}

impl WorkerDescription {
    fn new(spec: &WorkerSpec) -> WorkerDescription {
        WorkerDescription {
            name: spec.name,
            summary: spec.summary,
            triggers: spec.triggers.iter().map(TriggerDescription::new).collect(),
            concurrency: spec.concurrency,
            timeout_seconds: spec.timeout.as_secs(),
        }
    }
}

impl TriggerDescription {
    fn new(trigger: &Trigger) -> TriggerDescription {
        match trigger {
            Trigger::Every(every) => TriggerDescription::Schedule(ScheduleDescription::new(every)),
            Trigger::Wakeup => TriggerDescription::Wakeup,
            Trigger::Queue(queue) => TriggerDescription::Queue { queue: queue.queue },
            Trigger::Http(routes) => {
                TriggerDescription::Http { routes: routes.iter().map(RouteDescription::new).collect() }
            }
        }
    }

    pub(super) fn to_text(&self) -> String {
        match self {
            TriggerDescription::Schedule(schedule) => schedule.to_text(),
            TriggerDescription::Wakeup => "by wake-up".into(),
            TriggerDescription::Queue { .. } => "by message".into(),
            TriggerDescription::Http { .. } => "by request".into(),
        }
    }

    /// Returns the routes, if this is a trigger by requests.
    pub(super) fn routes(&self) -> &[RouteDescription] {
        match self {
            TriggerDescription::Http { routes } => routes,
            _ => &[],
        }
    }
}

impl RouteDescription {
    fn new(route: &Route) -> RouteDescription {
        RouteDescription {
            method: route.method.as_str(),
            path: route.path,
            summary: route.summary,
            body_limit_bytes: route.body_limit,
            timeout_seconds: route.timeout.as_secs_f64(),
            access: route.access,
            cache: route.cache,
            cors: route.cors,
            limits: route.limits,
        }
    }
}

impl ScheduleDescription {
    fn new(every: &Every) -> ScheduleDescription {
        ScheduleDescription {
            every_seconds: every.period().as_secs(),
            aligned: every.is_aligned(),
            at_start: every.fires_at_start(),
            active_hours: every.hours(),
        }
    }

    fn to_text(&self) -> String {
        let period = format_duration(Duration::from_secs(self.every_seconds));
        let mut words = if self.aligned { format!("every full {period}") } else { format!("every {period}") };
        if self.at_start {
            words.push_str(" and at the start");
        }
        if let Some(hours) = self.active_hours {
            // Writing to a string cannot fail.
            let _ = write!(words, " {hours}");
        }
        words
    }
}

impl QueueDescription {
    fn new(spec: &WorkerSpec) -> Option<QueueDescription> {
        let queue = spec.queue()?;
        Some(QueueDescription {
            queue: queue.queue,
            feeds: spec.name,
            batch: queue.batch,
            visibility_timeout_seconds: queue.visibility_timeout.as_secs(),
            max_receives: queue.max_receives,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schedule_is_described_in_words_and_as_data() {
        const NIGHT: ActiveHours = ActiveHours::new(10, 4, "America/New_York");
        let every = Every::new(Duration::from_secs(10));
        for (every, words, data) in [
            (every, "every 10 s", json!({ "every_seconds": 10 })),
            (every.aligned(), "every full 10 s", json!({ "every_seconds": 10, "aligned": true })),
            (
                every.at_start().within(NIGHT),
                "every 10 s and at the start from 10:00 until 04:00 America/New_York",
                json!({ "every_seconds": 10, "at_start": true,
                        "active_hours": { "from": 10, "until": 4, "zone": "America/New_York" } }),
            ),
        ] {
            let description = ScheduleDescription::new(&every);
            assert_eq!((description.to_text().as_str(), serde_json::to_value(&description).unwrap()), (words, data));
        }
    }

    #[test]
    fn every_time_zone_is_known() {
        let schedules = FLEETS.iter().flat_map(|fleet| fleet.workers()).filter_map(WorkerSpec::schedule);
        let unknown: Vec<_> = schedules.filter_map(|every| every.hours()).filter(|hours| !hours.is_known()).collect();
        assert_eq!(unknown, []);
    }

    #[test]
    fn a_new_fleet_is_described() {
        let fleet = fleets().pop().unwrap();
        assert_eq!((fleet.fleet, fleet.workers[0].name), ("sample", "sampler"));
        let listener = &fleet.listeners[0];
        assert_eq!((listener.name, listener.runs_on()), ("ear", "one host at a time; no Lambda form"));
    }

    #[test]
    fn the_routes_of_all_fleets_are_distinct_and_described() {
        let specs = FLEETS.iter().flat_map(|fleet| fleet.workers().iter().copied());
        assert_eq!(stint_core::http::Router::new(specs).err(), None);
        insta::assert_json_snapshot!(openapi());
    }
}
