//! Describes what waits for points.

use jiff::Timestamp;
use stint_core::ledger::{KeyState, KeyStatus};
use stint_core::points::Points;

use super::commands::keys::KeyView;
use crate::format::points;
use crate::time_format::format_time;

/// Returns the key whose points a refresh waits for, if it waits. A refresh may use the reserve.
pub(super) fn refresh_waits_for_points(keys: &[&KeyStatus], needed: Points, now: Timestamp) -> Option<String> {
    let free = |key: &KeyStatus| key.free.saturating_add(key.reserved);
    if keys.iter().any(|key| free(key) >= needed) {
        return None;
    }
    let next = keys.iter().min_by_key(|key| (key.limit.is_zero(), key.renews_at));
    Some(waits_for_reset(next.copied(), free, needed, now))
}

/// Describes the key whose points are available again first.
pub(super) fn waits_for_reset(
    key: Option<&KeyStatus>,
    free: impl Fn(&KeyStatus) -> Points,
    needed: Points,
    now: Timestamp,
) -> String {
    let Some(key) = key else { return "waits for an API key: set WCL_KEYS to id:secret".into() };
    let KeyStatus { key: name, renews_at, .. } = key;
    let view = KeyView::new(key, now);
    if view.limit.is_none() && view.state != KeyState::Paused {
        return format!("waits for {name}, which was never read");
    }
    let resets = *renews_at > now && view.state != KeyState::Paused;
    let renews = if resets { format!("resets {}", format_time(*renews_at, now)) } else { view.state_text(now) };
    let (needed, free) = (points(needed), points(free(key)));
    format!("waits for {name}: {needed} points needed, {free} free, {renews}")
}
