//! Determines when the `warcraftlogs` fleet has no work left: no rule is due or being read, no player waits anywhere,
//! and the databases are written.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{after, before};
use stint_core::ports::Wakeup;
use stint_core::worker::{Worker, WorkerId};
use stint_warcraftlogs::aggregator::{Aggregator, unfinished};
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::db_generator::DbGenerator;
use stint_warcraftlogs::discovery::{DiscoverySource, upstream};
use stint_warcraftlogs::next_worker::{ALL_FRESH, GENERATE};
use stint_warcraftlogs::store::{Freshness, Rule, RuleStatus, UpstreamPause};

use super::progress::Snapshot;
use super::stores::Stores;
use crate::fleets::fleet::WorkState;
use crate::wiring::ReportLog;

/// After this many failures in a row, the databases are no longer waited for.
const MAX_GENERATOR_FAILURES: u32 = 3;

/// A worker is not woken again within this time, so that it can finish.
const REWAKE_INTERVAL: Duration = Duration::from_secs(60);

/// A wake-up that is due within this time is waited for, for the same time. A wake-up that a killed process had claimed
/// fires only when its lease ends.
const IMMINENT: Duration = Duration::from_secs(5);

/// The longest time after a reset until a rest for lack of points ends.
const AFTER_RESET: Duration = Duration::from_secs(60);

/// The number of documents read at a time.
const PAGE: usize = 10_000;

/// The observed state of a fleet that is to be drained.
#[derive(Default)]
pub(super) struct DrainState {
    queues_are_empty: bool,
    /// The work that was left at the last observation, and since when.
    left: Option<(&'static str, Timestamp)>,
    /// When the responsible worker was last woken.
    woken: Option<Timestamp>,
}

impl DrainState {
    /// Stores what was observed.
    pub(super) fn record(&mut self, snapshot: &Snapshot) {
        self.queues_are_empty = snapshot.is_drained();
    }

    /// Returns whether the fleet has work left. Wakes a worker that has work left and would not be woken soon.
    pub(super) async fn work_state(
        &mut self,
        stores: &Stores,
        settings: &Settings,
        report_log: &ReportLog,
        now: Timestamp,
    ) -> anyhow::Result<WorkState> {
        if !self.queues_are_empty {
            self.left = None;
            return Ok(WorkState::Working);
        }
        let rules = stores.rules.list().await?.documents;
        let paused = match rules_state(&rules, stores, settings, now).await? {
            RulesState::Fresh => None,
            RulesState::Resting(reason) => Some(reason),
            RulesState::Unfinished => return Ok(WorkState::Working),
        };
        if paused.is_none() && is_a_player_due(stores, settings, now).await? {
            self.wake(stores, ALL_FRESH, &Aggregator::SPEC.id(), now).await?;
            return Ok(WorkState::Working);
        }
        if databases_out_of_date(stores, now).await? {
            let reports = report_log.of(&DbGenerator::SPEC.id());
            if let Some(error) = reports.error.filter(|_| reports.failures >= MAX_GENERATOR_FAILURES) {
                return Ok(WorkState::Stopped(format!("{} fails: {error}", DbGenerator::SPEC.name)));
            }
            self.wake(stores, GENERATE, &DbGenerator::SPEC.id(), now).await?;
            return Ok(WorkState::Working);
        }
        Ok(paused.or_else(|| refused(&rules)).map_or(WorkState::Done, WorkState::Stopped))
    }

    /// Wakes a worker, unless it is about to be woken or was woken here a moment ago.
    async fn wake(
        &mut self,
        stores: &Stores,
        name: &'static str,
        worker: &WorkerId,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let since = self.left.filter(|(left, _)| *left == name).map_or(now, |(_, since)| since);
        self.left = Some((name, since));
        if self.woken.is_some_and(|woken| after(woken, REWAKE_INTERVAL) > now) {
            return Ok(());
        }
        let wakeups = stores.wakeups.list().await?;
        // The aggregator wakes the database generator.
        let is_imminent = |wakeup: &Wakeup| {
            wakeup.at <= after(now, IMMINENT) && [worker, &Aggregator::SPEC.id()].contains(&&wakeup.worker)
        };
        if after(since, IMMINENT) <= now || !wakeups.iter().any(is_imminent) {
            stores.wakeups.once(name, worker, now).await?;
            self.woken = Some(now);
        }
        Ok(())
    }
}

/// The state of the rules.
enum RulesState {
    /// All rules are fresh.
    Fresh,
    /// A rule is due or being read, or will be once there are points.
    Unfinished,
    /// All rules that are not fresh rest, for this reason.
    Resting(String),
}

async fn rules_state(
    rules: &[RuleStatus],
    stores: &Stores,
    settings: &Settings,
    now: Timestamp,
) -> anyhow::Result<RulesState> {
    let fresh_since = before(now, settings.discovery_delay());
    let keys = stores.pool.keys().await?;
    let points_at = keys.iter().map(|key| after(key.renews_at, AFTER_RESET)).max();
    let for_points = settings.discovery_source == DiscoverySource::Reports;
    let waits_for_points = |until: Timestamp| for_points && points_at.is_some_and(|at| until <= at);
    let source = upstream_pause(stores, settings, now).await?;
    let mut paused = BTreeSet::new();
    for status in rules {
        let Some(reason) = unfinished(std::slice::from_ref(status), fresh_since, now) else { continue };
        let pause = status.pause.as_ref().map(|pause| pause.until).filter(|until| *until > now);
        let is_read = status.leased_until.is_some_and(|until| until > now);
        match (pause, &source) {
            (Some(until), _) if !waits_for_points(until) => paused.insert(reason),
            (None, Some(source)) if !is_read => paused.insert(source.clone()),
            _ => return Ok(RulesState::Unfinished),
        };
    }
    Ok(if paused.is_empty() { RulesState::Fresh } else { RulesState::Resting(Vec::from_iter(paused).join("; ")) })
}

/// Describes the rules that rest until an operator changes them. Nothing waits for these rules, but what they request
/// is missing.
fn refused(rules: &[RuleStatus]) -> Option<String> {
    let until_changed = rules.iter().filter_map(|status| {
        let pause = status.pause.as_ref().filter(|pause| pause.is_until_changed())?;
        let Rule { raid, difficulty, .. } = &status.rule;
        Some(format!("raid {raid} in difficulty {difficulty} is paused until its rule is changed: {}", pause.reason))
    });
    let reasons = BTreeSet::from_iter(until_changed);
    (!reasons.is_empty()).then(|| Vec::from_iter(reasons).join("; "))
}

/// Returns why no page is read now, if the upstream rejected discovery.
async fn upstream_pause(stores: &Stores, settings: &Settings, now: Timestamp) -> anyhow::Result<Option<String>> {
    let source = upstream(settings);
    let pauses = stores.rules.upstreams().await?;
    let pause = pauses.into_iter().find(|pause| pause.upstream == source && pause.pause.until > now);
    Ok(pause.map(|UpstreamPause { upstream, pause }| {
        format!("{upstream} is paused until {}: {}", pause.until, pause.reason)
    }))
}

/// Returns whether any player is to be queued. A document that cannot be read is skipped, as in the aggregator.
async fn is_a_player_due(stores: &Stores, settings: &Settings, now: Timestamp) -> anyhow::Result<bool> {
    let freshness = Freshness::at(now, settings.refresh_after());
    let mut after = None;
    loop {
        let page = stores.discovers.due(after, PAGE, &freshness).await?;
        match page.next {
            _ if !page.documents.is_empty() => return Ok(true),
            Some(next) => after = Some(next),
            None => return Ok(false),
        }
    }
}

/// Returns whether there are stored ranks that the databases lack. A folder of an earlier version has no record of when
/// they were written.
async fn databases_out_of_date(stores: &Stores, now: Timestamp) -> anyhow::Result<bool> {
    let reached = stores.milestones.reached().await?.as_of(now);
    Ok(reached.databases_out_of_date() || (reached.generated.is_none() && stores.players.counts().await?.ranked > 0))
}
