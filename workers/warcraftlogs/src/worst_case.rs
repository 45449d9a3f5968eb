//! The source document's own rule, implemented literally, so that both strategies can be compared.
//!
//! Before a batch it reads every key's remaining points, and multiplies `WCL_CALL_BUDGET` by the current concurrency
//! and by the number of difficulties in the batch. If a key has that much left, the batch is fetched with it. If none
//! has, the concurrency is lowered by one and the invocation fails; at 0 the reviver is scheduled a little after the
//! first reset. No holds are recorded, and a refusal costs a receive: the ledger avoids both.

use std::time::Duration;

use stint_core::clock::after;
use stint_core::ledger::{CallEnd, KeyId, KeyState, KeyStatus, Reading, ReadingClaim};
use stint_core::worker::WorkerError;

use crate::batch::Batch;
use crate::budget::{Budget, REVIVE};
use crate::client::CallError;
use crate::rank_fetcher::FetchInvocation;
use crate::worker;

/// "Few seconds after the first api key budget resets" (source document).
const AFTER_RESET: Duration = Duration::from_secs(5);

/// Fetches the batch with the first key that covers the worst case. Messages still unserved when it returns are those
/// that the upstream was down for.
pub(crate) async fn fetch(batch: &mut Batch, fetch: &mut FetchInvocation<'_>) -> Result<(), WorkerError> {
    let FetchInvocation { path, budget, results_buffer, .. } = *fetch;
    let readings = read_all(budget).await?;
    if readings.is_empty() && budget.outage().await.is_some() {
        return Ok(());
    }
    let concurrency = budget.throttle.read(&budget.worker).await?.effective(budget.concurrency_limit);
    // Another invocation may have lowered it to 0 since this one started; a call costs points nevertheless.
    let factor = u64::from(concurrency.max(1)).saturating_mul(batch.units() as u64);
    let needed = budget.unit.saturating_mul(factor);
    let rich = readings.iter().find(|(_, reading)| reading.limit.saturating_sub(reading.spent) >= needed);
    let Some((key, _)) = rich else {
        refuse(budget, concurrency, &readings).await?;
        return Err(WorkerError::Failed(format!("no key has the {needed} points of the worst case left")));
    };
    while let Some(request) = batch.next_request() {
        results_buffer.store_waiting(path.queue).await?;
        if !fetch.has_time_for_a_call() {
            // A call that is cut off is paid for and brings nothing.
            batch.give_back("the invocation has no time for another call");
            return Ok(());
        }
        fetch.report.calls += 1;
        match budget.ranks(key, needed, &request.messages).await.1 {
            Ok(outcomes) => fetch.store_outcomes(batch, &request.messages, outcomes).await?,
            Err(CallError::Down { .. }) => return Ok(()),
            Err(error) => batch.call_failed(&request.messages, &error.to_string()),
        }
    }
    Ok(())
}

/// Reads every key's counter, and reports it to the pool, so that `stint wcl keys` has something to show.
async fn read_all(budget: &Budget) -> Result<Vec<(KeyId, Reading)>, WorkerError> {
    let (paid, mut readings) = (budget.paid_api(), Vec::new());
    for key in budget.api.keys() {
        match paid.read_points(key).await {
            Ok(reading) => readings.push((key.clone(), reading)),
            Err(error) => tracing::warn!(%key, %error, "cannot read the counter of key {key}"),
        }
    }
    let keys = budget.pool.keys().await?;
    for (key, reading) in &readings {
        let claim = ReadingClaim { key: key.clone(), started: order(&keys, key) };
        paid.observe(&claim, CallEnd::Answered(*reading)).await?;
    }
    Ok(readings)
}

/// The position of a reading among the readings of its key. This strategy holds nothing, so the ledger cannot tell
/// which of two responses is newer, and responses may arrive out of order. While a window is under way, a reading only
/// raises its counter; once the window is over, or what is known of it is in doubt, a reading counts as newer than all
/// before.
fn order(keys: &[KeyStatus], key: &KeyId) -> u64 {
    let state = keys.iter().find(|status| status.key == *key).map(|status| status.state);
    if matches!(state, Some(KeyState::Open | KeyState::Edge)) { 0 } else { u64::MAX }
}

async fn refuse(budget: &Budget, concurrency: u32, readings: &[(KeyId, Reading)]) -> Result<(), WorkerError> {
    let lowered = concurrency.saturating_sub(1);
    if lowered == 0 {
        let first_reset = readings.iter().map(|(_, reading)| reading.reset_at()).min();
        let wake_at = after(first_reset.unwrap_or_else(|| budget.clock.now()), AFTER_RESET);
        budget.wakeups.once(REVIVE, &worker("reviver"), wake_at).await?;
    }
    Ok(budget.set_concurrency(lowered).await?)
}
