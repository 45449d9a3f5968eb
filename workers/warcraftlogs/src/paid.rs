//! Small questions beside the fleet's work, for points that are held first like those of any other call.
//!
//! # What may happen between any two lines
//! * *The process exits after the hold, or after the call:* the hold ends by itself, and stays counted until a later reading.
//!   The question is asked again when its answer is needed again.

use jiff::Timestamp;
use stint_core::ledger::{Ask, CallEnd, Grant, KeyState, Reservation};
use stint_core::points::Points;
use stint_core::ports::{KeyPool, PortError, PortResult};

use crate::client::{Api, CallError};
use crate::measured::{call, record_window, status};

/// What a small question may cost for each raid or server that it is about. About 1 is a guess that nothing has refuted.
pub const SMALL_BOUND: Points = Points::whole(5);

/// Why a small question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// No key has the points.
    #[error("no key has {needed} points for it{}", at(.until))]
    NoPoints {
        /// What the cheapest of it may cost.
        needed: Points,
        /// When a key in use has them.
        until: Option<Timestamp>,
    },
    /// The call failed.
    #[error("{0}")]
    Call(#[from] CallError),
    /// The key pool failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

fn at(until: &Option<Timestamp>) -> String {
    until.map_or_else(String::new, |until| format!(" before {until}"))
}

/// Asks a question for what was granted, and settles it.
pub async fn ask<T>(
    pool: &dyn KeyPool,
    operation: &'static str,
    grant: &Grant,
    question: impl Future<Output = (CallEnd, Result<T, CallError>)>,
) -> Result<T, Unanswered> {
    let key = &grant.hold.key;
    let (end, answer) = call(operation, key, grant.amount, question, |(end, _)| status(end)).await;
    let closed = pool.settle(&grant.hold, end).await?;
    record_window(key, closed.as_ref());
    Ok(answer?)
}

/// How many subjects a grant pays for.
pub fn paid(grant: &Grant) -> usize {
    grant.taken.iter().sum()
}

/// Holds points for a question about as many of `subjects` as a key can pay for, at [`SMALL_BOUND`] each; at least about one.
pub async fn hold(pool: &dyn KeyPool, api: &Api, subjects: usize) -> Result<Grant, Unanswered> {
    let ask = Ask { messages: vec![vec![SMALL_BOUND; subjects]], call_timeout: api.call_timeout(), priority: false };
    loop {
        match pool.reserve(&ask).await? {
            Reservation::Granted(grant) => return Ok(grant),
            Reservation::Unpriceable { .. } => return Err(Unanswered::NoPoints { needed: SMALL_BOUND, until: None }),
            Reservation::Refused { .. } => {
                if !read_a_counter(pool, api).await? {
                    let until = reset(pool).await?;
                    return Err(Unanswered::NoPoints { needed: SMALL_BOUND, until });
                }
            }
        }
    }
}

/// Reads the counter of a key that may have points then. Returns whether one was read.
async fn read_a_counter(pool: &dyn KeyPool, api: &Api) -> Result<bool, Unanswered> {
    let Some(claim) = pool.claim_reading(SMALL_BOUND, api.call_timeout()).await? else { return Ok(false) };
    match api.read_points(&claim.key).await {
        Ok(reading) => {
            let closed = pool.observe(&claim, CallEnd::Answered(reading)).await?;
            record_window(&claim.key, closed.as_ref());
        }
        Err(error) => {
            // The claim of a key that cannot be read is left to lapse, so that it is not asked again meanwhile.
            if let end @ CallEnd::Refused { .. } = error.call_end() {
                pool.observe(&claim, end).await?;
            }
            return Err(error.into());
        }
    }
    Ok(true)
}

async fn reset(pool: &dyn KeyPool) -> PortResult<Option<Timestamp>> {
    let keys = pool.keys().await?;
    Ok(keys.iter().filter(|key| key.state != KeyState::Retired).map(|key| key.lends_at(SMALL_BOUND)).min())
}
