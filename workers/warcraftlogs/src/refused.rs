//! Records players of whom nothing is left to fetch because the upstream refuses it: that is their outcome.
//!
//! # What may happen between any two lines
//! * *The process exits before it is recorded:* the message comes back, and the same is found and recorded.
//! * *The process exits after it is recorded:* the message comes back, and is refused again without a call. Recording
//!   it once more changes nothing.

use jiff::Timestamp;
use stint_core::ports::PortResult;

use crate::model::Unit;
use crate::store::{Fetched, Known, Players, Unasked};
use crate::whom::Whom;

/// Records players that are not requested at all. Players without stored ranks are dropped, with that reason.
pub(crate) async fn record_refused(
    players: &dyn Players,
    known: &Known,
    refused: Vec<(Whom, Vec<(Unit, String)>)>,
    now: Timestamp,
) -> PortResult<()> {
    let mut unasked = Vec::new();
    for (whom, refused) in refused {
        let Some(id) = whom.id() else {
            tracing::warn!(%whom, ?refused, "{whom} is not asked for: the upstream refuses it");
            continue;
        };
        let is_unknown = known.players.get(&id).is_none_or(|fetched| *fetched == Fetched::default());
        unasked.push(Unasked { id, refused, is_unknown });
    }
    if unasked.is_empty() {
        return Ok(());
    }
    // One step: a player with only its drop recorded would count as fetched when its message comes back.
    players.refuse(&unasked, now).await
}
