//! Players of whom nothing is left to be fetched, because the upstream refuses it: that is their fate.

use jiff::Timestamp;
use stint_core::ports::PortResult;

use crate::model::{PlayerId, Unit};
use crate::store::{DropReason, Dropped, Fetched, Known, Players};
use crate::whom::Whom;

/// Records players that are not asked for at all. Those of whom nothing was known before are dropped, with that reason. Done
/// twice, it changes nothing.
pub(crate) async fn record_refused(
    players: &dyn Players,
    known: &Known,
    refused: Vec<(Whom, Vec<(Unit, String)>)>,
    now: Timestamp,
) -> PortResult<()> {
    let mut of_players: Vec<(PlayerId, Vec<(Unit, String)>)> = Vec::new();
    for (whom, refused) in refused {
        match whom.id() {
            Some(id) => of_players.push((id, refused)),
            None => tracing::warn!(%whom, ?refused, "{whom} is not asked for: the upstream refuses it"),
        }
    }
    if of_players.is_empty() {
        return Ok(());
    }
    let is_unknown = |id| known.players.get(id).is_none_or(|fetched| *fetched == Fetched::default());
    let unknown = of_players.iter().filter(|(id, _)| is_unknown(id));
    let dropped: Vec<Dropped> =
        unknown.map(|(id, _)| Dropped { id: *id, reason: DropReason::Refused, at: now }).collect();
    players.drop_players(&dropped).await?;
    players.refuse(&of_players, now).await
}
