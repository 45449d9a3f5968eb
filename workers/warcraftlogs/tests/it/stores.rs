//! The conformance suite of the fleet's stores: every backend passes the same tests, by name.
//!
//! A backend implements [`StoreBackend`] and uses `store_suite!` once.

mod directory;
mod discovers;
mod freshness;
mod milestones;
mod mongo;
mod players;
mod refreshed;
mod rules;
mod sqlite;
mod unit_results;
mod zones;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use stint_warcraftlogs::store::{Directory, Discovers, Milestones, Players, RefreshResults, Rules, Zones};

/// Empty stores that no other test uses.
pub(crate) trait StoreBackend {
    /// A second call returns another handle to the same rules, as another process would have.
    fn rules(&self) -> Arc<dyn Rules>;
    fn discovers(&self) -> Arc<dyn Discovers>;
    fn players(&self) -> Arc<dyn Players>;
    fn refresh_results(&self) -> Arc<dyn RefreshResults>;
    /// For the same players.
    fn directory(&self) -> Arc<dyn Directory>;
    fn milestones(&self) -> Arc<dyn Milestones>;

    /// For the same raids.
    fn zones(&self) -> Arc<dyn Zones>;

    /// The stores' current time.
    fn now(&self) -> Timestamp;

    /// Advances the time.
    fn pass(&self, duration: Duration);
}

/// One test for each name, with the backend's world and executor.
macro_rules! expand {
    ($suite:ident, $run:expr, $world:expr, $($test:ident)*) => {
        mod $suite {
            $(
                #[test]
                fn $test() {
                    $run(crate::stores::$suite::$test(&$world));
                }
            )*
        }
    };
}

/// All suites, on worlds made by `$world`.
macro_rules! store_suite {
    ($run:expr, $world:expr) => {
        crate::stores::expand! { rules, $run, $world,
            rules_are_listed_by_raid_difficulty_and_first_page
            a_wrong_rule_is_refused_by_its_fields_name
            a_rule_keeps_its_options_and_unknown_fields
            a_rule_whose_options_change_starts_over
            a_rule_is_removed_once
            the_rule_that_has_waited_longest_is_leased_first
            a_leased_rule_is_not_leased_again_before_its_lease_expires
            a_clock_that_was_ahead_keeps_no_rule_from_others
            progress_is_kept_and_renews_the_lease
            an_old_lease_changes_nothing
            a_finished_rule_has_run_and_has_no_progress
            a_paused_rule_keeps_its_progress_and_is_not_claimed
            a_rule_whose_pages_change_starts_over_and_fences_its_discovery
            a_doubted_rule_is_paused_with_its_last_run_its_progress_and_the_page
            a_doubt_without_progress_starts_over
            an_accepted_doubt_ends_the_pause_and_is_cleared_once_the_rule_is_read
            a_new_doubt_asks_again_and_other_pages_have_none
            an_upstream_is_paused_until_the_later_end_in_every_process
        }
        crate::stores::expand! { discovers, $run, $world,
            what_was_seen_is_merged
            merging_is_idempotent
            pages_list_every_player_once_in_order
            documents_are_found_by_id
            only_unchanged_documents_are_deleted
            nothing_to_merge_or_mark_as_sent_is_no_error
            an_id_beyond_all_ids_is_refused_by_name
        }
        crate::stores::expand! { freshness, $run, $world,
            a_player_who_was_never_fetched_is_due
            those_who_are_due_are_shown_once_in_order
            a_queued_player_waits_until_it_is_fetched
            a_message_is_forgotten_when_no_queue_can_have_it_any_more
            ranks_are_fresh_until_they_have_reached_the_age
            ranks_that_do_not_cover_everything_are_due_at_once
            a_dropped_player_is_fresh_whatever_it_was_discovered_in
            a_player_who_was_ranked_after_it_was_dropped_is_covered_by_its_ranks_alone
            a_player_fetched_before_it_is_marked_as_sent_does_not_wait
            older_ranks_that_are_imported_count_with_their_age
            a_player_discovered_again_while_it_waits_is_due_if_the_ranks_do_not_cover_it
            no_player_waits_after_the_queue_was_purged
        }
        crate::stores::expand! { zones, $run, $world,
            a_check_is_claimed_once_and_again_when_it_is_due
            a_frozen_raid_stays_frozen_and_is_not_checked_again
            what_is_frozen_and_fetched_since_is_not_wanted_any_more
            a_claim_says_since_when_the_raid_is_frozen
        }
        crate::stores::expand! { unit_results, $run, $world,
            what_came_of_each_raid_and_difficulty_is_known
            a_player_who_lacks_something_still_waits_for_its_message
            what_is_refused_is_not_due_until_the_rule_changes
            a_rule_refused_to_all_players_is_paused_until_it_is_put_again
            a_player_who_is_served_clears_the_rule
            a_player_who_was_ranked_before_clears_the_rule
            a_player_who_is_refused_again_and_again_counts_once
            an_unknown_player_who_is_refused_is_dropped_and_not_asked_again
        }
        crate::stores::expand! { directory, $run, $world,
            a_player_is_found_by_name_server_and_region
            of_several_of_one_name_the_last_one_fetched_is_found
            the_servers_of_a_region_are_listed_once
        }
        crate::stores::expand! { milestones, $run, $world,
            nothing_is_reached_at_first
            milestones_are_independent_and_the_last_write_wins
        }
        crate::stores::expand! { refreshed, $run, $world,
            a_result_is_found_by_how_the_player_was_requested
            the_latest_result_counts_and_old_ones_are_deleted
        }
        crate::stores::expand! { players, $run, $world,
            a_player_reads_back_as_it_was_stored
            given_raids_replace_the_stored_ones_and_others_stay
            a_player_who_moves_is_found_in_one_place_only
            pages_go_by_region_server_and_id
            a_dropped_player_who_is_ranked_again_is_one_no_more
            dropping_keeps_the_ranks_that_are_stored
            of_a_player_from_elsewhere_what_was_updated_last_counts
            importing_twice_changes_nothing
            an_older_player_from_elsewhere_changes_no_standing_and_no_drop
            dropped_players_are_listed_by_id
        }
    };
}

pub(crate) use {expand, store_suite};
