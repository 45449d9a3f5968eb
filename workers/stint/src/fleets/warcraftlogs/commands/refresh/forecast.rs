//! Estimates when a refresh will be served, from what is stored.

use jiff::Timestamp;
use serde::Serialize;
use stint_core::ledger::{KeyState, KeyStatus};
use stint_core::points::Points;
use stint_core::worker::Worker;
use stint_warcraftlogs::refresher::Refresher;

use crate::fleets::warcraftlogs::points::refresh_waits_for_points;
use crate::fleets::warcraftlogs::stores::Stores;
use crate::format;

/// What a refresh will wait for.
#[derive(Serialize)]
pub(super) struct Forecast {
    /// The points that all keys have free for it now, including the reserve.
    points_free: Points,
    /// What it waits for apart from its turn; absent if it waits for nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<String>,
    /// Whether it waits for a process to be started, because none runs the fleet.
    #[serde(skip)]
    pub(super) is_idle: bool,
}

impl Forecast {
    /// Returns the forecast at `now` for a refresh whose smallest part may cost `needed`.
    pub(super) async fn read(stores: &Stores, needed: Points, now: Timestamp) -> anyhow::Result<Forecast> {
        let keys = stores.pool.keys().await?;
        let keys: Vec<&KeyStatus> = keys.iter().filter(|key| key.state != KeyState::Retired).collect();
        let points_free = keys.iter().map(|key| key.free.saturating_add(key.reserved)).sum();
        let name = Refresher::SPEC.name;
        let never_started = !stores.was_started().await?;
        let is_idle = never_started || stores.hosts.is_idle(stint_warcraftlogs::FLEET).await?;
        let waits_for = if never_started {
            Some("the fleet was never started here; start it: stint up".to_owned())
        } else if is_idle {
            Some("no process runs the fleet here now; start it: stint up".to_owned())
        } else if stores.throttle.read(&Refresher::SPEC.id()).await?.paused {
            Some(format!("{name} is paused by an operator; `stint throttle resume wcl/{name}` resumes it"))
        } else {
            refresh_waits_for_points(&keys, needed, now)
        };
        Ok(Forecast { points_free, waits_for, is_idle })
    }

    pub(super) fn to_text(&self) -> String {
        match &self.waits_for {
            Some(reason) => format!("{reason}\n"),
            None => format!("{} points are free for it now\n", format::points(self.points_free)),
        }
    }
}
