//! Records players of whom nothing is left to fetch because the upstream refuses it: that is their outcome.
//!
//! # What may happen between any two lines
//! * *The process exits before it is recorded:* the message comes back, and the same is found and recorded.
//! * *The process exits after it is recorded:* the message comes back, and is refused again without a call. Recording
//!   it once more changes nothing.

use jiff::Timestamp;
use stint_core::ports::PortResult;

use crate::model::Unit;
use crate::player_ref::PlayerRef;
use crate::store::{PlayerResults, Players, RefusedPlayer, StoredResults};

/// Records players that are not requested at all. Players without stored ranks are dropped, with that reason.
pub(crate) async fn record_refused(
    players: &dyn Players,
    known: &StoredResults,
    refused: Vec<(PlayerRef, Vec<(Unit, String)>)>,
    now: Timestamp,
) -> PortResult<()> {
    let mut refused_players = Vec::new();
    for (player_ref, refused) in refused {
        let Some(id) = player_ref.id() else {
            tracing::warn!(%player_ref, ?refused, "{player_ref} is not requested: the upstream refuses it");
            continue;
        };
        let is_unknown = known.players.get(&id).is_none_or(|fetched| *fetched == PlayerResults::default());
        refused_players.push(RefusedPlayer { id, refused, is_unknown });
    }
    if refused_players.is_empty() {
        return Ok(());
    }
    // One step: a player with only its drop recorded would count as fetched when its message comes back.
    players.refuse(&refused_players, now).await
}
