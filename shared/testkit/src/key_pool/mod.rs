//! The conformance suite of the key pool port.

mod clock_changes;
mod holds;
mod parking;
mod reading;
mod scenarios;
mod windows;

use std::sync::Arc;
use std::time::Duration;

use stint_core::ledger::{
    Ask, CallEnd, Grant, KeyId, KeyStatus, KeyWait, LedgerSettings, Reading, Reservation, WindowRecord,
};
use stint_core::points::Points;
use stint_core::ports::{KeyPool, PortResult};

use crate::world::KeyPoolWorld;

pub use clock_changes::{
    a_claim_by_a_clock_that_was_ahead_lapses, a_clock_that_is_set_ahead_ends_no_call_that_runs,
    a_key_read_with_a_clock_ahead_is_read_again, a_limit_from_one_answer_is_read_again,
    a_lost_call_is_held_for_its_grace, a_reader_whose_clock_was_ahead_closes_no_key,
};
pub use holds::{
    a_call_that_was_not_billed_gives_its_points_back, a_grant_is_held_until_it_is_settled,
    a_hold_ends_by_itself_and_counts_until_a_reading, a_key_that_is_not_accepted_rests_until_it_is_resumed,
    a_refusal_names_what_is_missing, a_refused_call_rests_the_key, a_second_settlement_does_nothing,
    an_ask_for_nothing_is_refused, an_ask_that_no_key_can_satisfy_is_unpriceable, only_what_fits_is_granted,
    reservers_never_share_points, the_key_that_resets_first_is_used_first, the_reserve_is_for_priority_asks,
};
pub use parking::{
    a_message_parked_again_is_not_forgotten, forgotten_messages_do_not_come_back, lists_of_messages_may_be_empty,
    parked_messages_are_claimed_by_one_caller_at_a_time, parked_messages_are_claimed_oldest_first,
    parking_an_id_again_replaces_it, queues_do_not_share_parked_messages,
};
pub use reading::{
    a_claim_lapses_after_its_lease, a_failed_reading_may_be_tried_again, a_hold_is_dropped_by_a_later_reading_only,
    a_key_is_read_by_one_caller_at_a_time, a_reading_is_not_granted_when_it_would_not_help,
    a_refused_reading_does_not_shorten_a_manual_pause, a_refused_reading_rests_the_key,
    a_single_call_is_priced_for_all_processes, an_unread_key_grants_nothing, spent_never_falls_within_a_window,
};
pub use scenarios::{
    CallOutcome, Expect, SCENARIOS, Scenario, Step, a_call_that_was_not_billed_after_the_hold_has_ended,
    a_clock_that_is_ahead, a_clock_that_is_behind, a_crash_after_the_call, a_crash_between_reserve_and_call,
    a_crash_of_a_process_that_held_everything, a_crash_of_a_reader, a_failed_reading,
    a_key_retired_with_a_hold_and_brought_back, a_late_answer_of_the_old_window, a_lost_reply_of_a_reserve,
    a_lost_reply_of_a_reserve_and_a_reading, a_lost_reply_of_a_settlement, a_pause_across_the_reset,
    a_reader_whose_claim_lapsed, a_reading_that_started_before_the_end_of_a_call, a_refusal_and_a_reading,
    a_replay_with_another_outcome, a_reset_while_a_call_is_in_flight, a_reset_while_a_call_is_unconfirmed,
    a_store_reopened_in_mid_flight, an_answer_after_the_hold_has_ended, two_processes_replay_one_settlement,
};
pub use windows::{
    a_call_across_the_reset_is_held_in_both_windows, a_forgotten_key_must_be_read_again,
    a_late_answer_of_an_old_window_is_ignored, a_new_key_is_unread_and_a_missing_one_is_retired,
    a_paused_key_rests_until_its_time, a_paused_key_stays_paused_in_the_next_window, a_window_that_ends_is_recorded,
    an_unknown_key_cannot_be_paused, keys_are_listed_soonest_reset_first, windows_are_returned_newest_first,
};

/// The conformance tests of the key pool port: `key_pool_suite!(run, world)`, where `run` runs a future to its end and
/// `world` is a future of a [`crate::KeyPoolWorld`].
#[macro_export]
macro_rules! key_pool_suite {
    ($run:expr, $world:expr) => {
        $crate::expand_suite! {
            key_pool, $run, $world,
            an_unread_key_grants_nothing
            a_key_is_read_by_one_caller_at_a_time
            a_claim_lapses_after_its_lease
            a_failed_reading_may_be_tried_again
            a_refused_reading_rests_the_key
            a_refused_reading_does_not_shorten_a_manual_pause
            a_reading_is_not_granted_when_it_would_not_help
            a_hold_is_dropped_by_a_later_reading_only
            spent_never_falls_within_a_window
            a_single_call_is_priced_for_all_processes
            a_grant_is_held_until_it_is_settled
            a_second_settlement_does_nothing
            a_call_that_was_not_billed_gives_its_points_back
            a_refused_call_rests_the_key
            a_key_that_is_not_accepted_rests_until_it_is_resumed
            a_hold_ends_by_itself_and_counts_until_a_reading
            a_refusal_names_what_is_missing
            an_ask_for_nothing_is_refused
            an_ask_that_no_key_can_satisfy_is_unpriceable
            only_what_fits_is_granted
            the_reserve_is_for_priority_asks
            the_key_that_resets_first_is_used_first
            reservers_never_share_points
            a_window_that_ends_is_recorded
            windows_are_returned_newest_first
            a_call_across_the_reset_is_held_in_both_windows
            a_late_answer_of_an_old_window_is_ignored
            a_paused_key_rests_until_its_time
            a_paused_key_stays_paused_in_the_next_window
            an_unknown_key_cannot_be_paused
            a_forgotten_key_must_be_read_again
            keys_are_listed_soonest_reset_first
            a_new_key_is_unread_and_a_missing_one_is_retired
            a_lost_call_is_held_for_its_grace
            a_limit_from_one_answer_is_read_again
            a_key_read_with_a_clock_ahead_is_read_again
            a_reader_whose_clock_was_ahead_closes_no_key
            a_clock_that_is_set_ahead_ends_no_call_that_runs
            a_claim_by_a_clock_that_was_ahead_lapses
            parked_messages_are_claimed_oldest_first
            parked_messages_are_claimed_by_one_caller_at_a_time
            parking_an_id_again_replaces_it
            forgotten_messages_do_not_come_back
            a_message_parked_again_is_not_forgotten
            queues_do_not_share_parked_messages
            lists_of_messages_may_be_empty
            a_lost_reply_of_a_reserve
            a_lost_reply_of_a_reserve_and_a_reading
            a_lost_reply_of_a_settlement
            two_processes_replay_one_settlement
            a_replay_with_another_outcome
            a_crash_between_reserve_and_call
            a_crash_after_the_call
            a_crash_of_a_process_that_held_everything
            a_crash_of_a_reader
            a_reader_whose_claim_lapsed
            a_failed_reading
            a_reset_while_a_call_is_in_flight
            a_reset_while_a_call_is_unconfirmed
            a_late_answer_of_the_old_window
            a_clock_that_is_ahead
            a_clock_that_is_behind
            a_key_retired_with_a_hold_and_brought_back
            a_pause_across_the_reset
            a_reading_that_started_before_the_end_of_a_call
            a_refusal_and_a_reading
            a_store_reopened_in_mid_flight
            an_answer_after_the_hold_has_ended
            a_call_that_was_not_billed_after_the_hold_has_ended
        }
    };
}

const WINDOW: Duration = Duration::from_secs(3_600);
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const LEASE: Duration = Duration::from_secs(60);

/// Longer than the call time-out and the ledger's margin together: after it, a hold has ended by itself.
const AFTER_THE_HOLD: Duration = Duration::from_secs(40);

/// A pool with helpers for the suite.
struct Fixture<'a> {
    world: &'a dyn KeyPoolWorld,
    pool: Arc<dyn KeyPool>,
}

impl Fixture<'_> {
    /// Returns a pool of keys that have just been read: nothing is spent, and each resets an hour from now.
    async fn with_keys<'a>(world: &'a dyn KeyPoolWorld, keys: &[(&str, u64)]) -> PortResult<Fixture<'a>> {
        let fixture = Fixture::unread(world, &keys.iter().map(|(key, _)| *key).collect::<Vec<&str>>()).await?;
        // Two readings for each key: the pool relies on a limit only when a second reading confirms it.
        for needed in [Points::ZERO, Points::MAX] {
            for _ in keys {
                let claim = fixture.pool.claim_reading(needed, LEASE).await?.expect("a key to read");
                let limit = keys.iter().find(|(key, _)| claim.key.0 == *key).map_or(0, |(_, limit)| *limit);
                fixture.pool.observe(&claim, CallEnd::Answered(fixture.reading(limit, 0, WINDOW))).await?;
            }
        }
        Ok(fixture)
    }

    /// Returns a pool of keys that have not been read yet.
    async fn unread<'a>(world: &'a dyn KeyPoolWorld, keys: &[&str]) -> PortResult<Fixture<'a>> {
        let fixture = Fixture { world, pool: pool(world).await? };
        fixture.configure(keys).await?;
        Ok(fixture)
    }

    async fn configure(&self, keys: &[&str]) -> PortResult<()> {
        self.pool.configure(&keys.iter().copied().map(key).collect::<Vec<KeyId>>()).await
    }

    /// The upstream's answer at this instant.
    fn reading(&self, limit: u64, spent: u64, resets_in: Duration) -> Reading {
        let received_at = self.world.time().now();
        Reading { limit: Points::whole(limit), spent: Points::whole(spent), resets_in, received_at }
    }

    async fn reserve(&self, points: u64) -> PortResult<Reservation> {
        self.pool.reserve(&ask(&[&[points]])).await
    }

    async fn grant(&self, points: u64) -> PortResult<Grant> {
        match self.reserve(points).await? {
            Reservation::Granted(grant) => Ok(grant),
            other => panic!("{points} points were expected, not {other:?}"),
        }
    }

    async fn refusal(&self, points: u64) -> PortResult<Vec<KeyWait>> {
        match self.reserve(points).await? {
            Reservation::Refused { waits } => Ok(waits),
            other => panic!("a refusal of {points} points was expected, not {other:?}"),
        }
    }

    async fn settle(&self, grant: &Grant, end: CallEnd) -> PortResult<Option<WindowRecord>> {
        self.pool.settle(&grant.hold, end).await
    }

    async fn status(&self, name: &str) -> PortResult<KeyStatus> {
        let keys = self.pool.keys().await?;
        Ok(keys.into_iter().find(|status| status.key == key(name)).expect("a key of that name"))
    }
}

async fn pool(world: &dyn KeyPoolWorld) -> PortResult<Arc<dyn KeyPool>> {
    world.pool(LedgerSettings::without_reserve(WINDOW)).await
}

fn key(name: &str) -> KeyId {
    KeyId(name.into())
}

fn ask(messages: &[&[u64]]) -> Ask {
    let messages = messages.iter().map(|units| units.iter().copied().map(Points::whole).collect()).collect();
    Ask { messages, call_timeout: CALL_TIMEOUT, priority: false }
}
