//! Formats a player.

use jiff::Timestamp;
use stint_warcraftlogs::model::Player;
use stint_warcraftlogs::names;
use stint_warcraftlogs::store::DropReason;

use crate::escape::one_line;
use crate::fleets::warcraftlogs::commands::ranks;
use crate::time_format::format_time;

/// Formats a player with its ranks.
pub(crate) fn to_text(player: &Player, now: Timestamp) -> String {
    let Player { id, name, class_id, region, server, updated_at, raids } = player;
    let (name, server, class) = (one_line(name), one_line(&server.name), names::class(*class_id));
    let updated = format_time(*updated_at, now);
    format!("{name} of {server} ({region}), {class}, player {id}, updated {updated}\n{}", ranks::to_text(raids))
}

/// Describes why the upstream has no ranks of a player.
pub(crate) fn reason_text(reason: DropReason) -> &'static str {
    match reason {
        DropReason::Hidden => "the player's ranks are hidden",
        DropReason::Unknown => "the upstream knows no such player",
        DropReason::NeverClassed => "the upstream never learned the player's class, so it has no ranks of it",
        DropReason::Refused => "the upstream refuses every raid and difficulty that the player was discovered in",
        DropReason::Merged => "it is an older id of a player whose ranks are stored under another one",
    }
}
