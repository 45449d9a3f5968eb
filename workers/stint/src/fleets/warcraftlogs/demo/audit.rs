//! Compares the ledger with the stand-in's own records, and the stored players with those that were discovered.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::ensure;
use jiff::Timestamp;
use stint_core::clock::before;
use stint_core::ledger::{KeyStatus, WindowRecord};
use stint_core::points::Points;

use super::DemoFleet;
use super::environment::DemoEnvironment;
use crate::fleets::warcraftlogs::report::Budget;

/// More windows than any demo has.
const ALL: usize = 100_000;

/// The number of documents read at a time.
const PAGE: usize = 2_000;

/// Adds up the ledger's windows, and compares each key with what the stand-in charged it.
pub(super) async fn audit(
    environment: &DemoEnvironment,
    demo_fleet: &DemoFleet,
    backlog_from: Timestamp,
    backlog_to: Timestamp,
) -> anyhow::Result<Budget> {
    let (counters, window) = {
        let upstream = environment.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        (upstream.counters(), upstream.options().window)
    };
    let mut budget = Budget { refused_calls: counters.refused_calls, ..Budget::default() };
    let (mut busy_limit, mut busy_spent) = (Points::ZERO, Points::ZERO);
    for key in demo_fleet.stores.pool.keys().await? {
        let windows = demo_fleet.stores.pool.windows(&key.key, ALL).await?;
        add(&mut budget, &key, &windows);
        for busy in windows.iter().filter(|record| had_backlog(record, window, backlog_from, backlog_to)) {
            busy_limit = busy_limit.saturating_add(busy.limit);
            busy_spent = busy_spent.saturating_add(busy.spent);
        }
        let key_counters = counters.keys.iter().find(|key_counters| key_counters.id == key.key.0);
        let charged = key_counters
            .map(|key_counters| key_counters.windows.iter().map(|window| window.charged).sum())
            .unwrap_or_default();
        check(&key, &windows, charged)?;
    }
    budget.overspent = budget.overspent.max(counters.overspent);
    if !busy_limit.is_zero() {
        budget.utilisation = busy_spent.to_float() / busy_limit.to_float();
    }
    Ok(budget)
}

fn add(budget: &mut Budget, key: &KeyStatus, windows: &[WindowRecord]) {
    let total = |sum: Points, each: fn(&WindowRecord) -> Points| sum.saturating_add(windows.iter().map(each).sum());
    budget.limit = total(budget.limit, |window| window.limit).saturating_add(key.limit);
    budget.spent = total(budget.spent, |window| window.spent).saturating_add(key.spent);
    budget.expired = total(budget.expired, |window| window.expired);
    budget.overspent = total(budget.overspent, |window| window.overspent);
}

fn had_backlog(record: &WindowRecord, window: Duration, from: Timestamp, to: Timestamp) -> bool {
    before(record.reset_at, window) >= from && record.reset_at <= to
}

/// Fails if the ledger and the stand-in disagree. The ledger may only be short by the amount it reports itself: calls
/// at the very end of a window whose charge no reading has shown.
fn check(key: &KeyStatus, windows: &[WindowRecord], charged: Points) -> anyhow::Result<()> {
    let spent: Points = windows.iter().map(|window| window.spent).sum::<Points>().saturating_add(key.spent);
    let unsure: Points = windows.iter().map(|window| window.unconfirmed).sum::<Points>().saturating_add(key.held);
    ensure!(
        spent <= charged && charged <= spent.saturating_add(unsure),
        "the records disagree: {} was charged {charged} points, and the ledger has {spent} ± {unsure}",
        key.key
    );
    Ok(())
}

/// Returns how many of the discovered players are ranked and how many are dropped. Each player is counted once.
pub(super) async fn count_outcomes(demo_fleet: &DemoFleet, discovered: &BTreeSet<u64>) -> anyhow::Result<(u64, u64)> {
    let mut dropped = BTreeSet::new();
    let mut after = None;
    loop {
        let page = demo_fleet.stores.players.dropped_page(after, PAGE).await?;
        dropped.extend(page.documents.iter().map(|player| player.id).filter(|id| discovered.contains(id)));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let mut ranked = BTreeSet::new();
    let mut after = None;
    loop {
        let page = demo_fleet.stores.players.page(after.as_ref(), PAGE).await?;
        let ids = page.documents.iter().map(|player| player.id);
        ranked.extend(ids.filter(|id| discovered.contains(id) && !dropped.contains(id)));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok((ranked.len() as u64, dropped.len() as u64)),
        }
    }
}
