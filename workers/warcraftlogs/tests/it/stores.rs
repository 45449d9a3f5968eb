//! The conformance suite of the fleet's stores: every backend passes the same, by name.
//!
//! A backend implements [`StoreWorld`] and names `store_suite!` once.

mod discovers;
mod players;
mod rules;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use stint_warcraftlogs::store::{Discovers, Players, Rules};

/// Stores that are empty and that no other test uses.
pub(crate) trait StoreWorld {
    /// Asked twice, answers another way to the same rules, as another process has them.
    fn rules(&self) -> Arc<dyn Rules>;
    fn discovers(&self) -> Arc<dyn Discovers>;
    fn players(&self) -> Arc<dyn Players>;

    /// The time that the stores live in.
    fn now(&self) -> Timestamp;

    /// Lets time pass.
    fn pass(&self, duration: Duration);
}

/// A test for each name, with a world and an executor of the backend's.
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

/// All suites, on worlds that `$world` makes.
macro_rules! store_suite {
    ($run:expr, $world:expr) => {
        crate::stores::expand! { rules, $run, $world,
            rules_are_listed_by_raid_difficulty_and_first_page
            a_wrong_rule_is_refused_by_its_fields_name
            a_rule_is_removed_once
            the_rule_that_has_waited_longest_is_lent_first
            a_rule_on_loan_is_lent_to_nobody_until_its_lease_is_over
            progress_is_kept_and_renews_the_lease
            an_old_lease_changes_nothing
            a_finished_rule_has_run_and_has_no_progress
            a_resting_rule_keeps_its_progress_and_is_left_alone
            a_rule_whose_pages_change_begins_anew_and_fences_its_discovery
        }
        crate::stores::expand! { discovers, $run, $world,
            what_was_seen_is_merged
            the_same_twice_changes_nothing
            pages_show_everybody_once_in_order
            only_what_still_says_the_same_is_deleted
            nothing_to_merge_or_delete_is_no_error
        }
        crate::stores::expand! { players, $run, $world,
            a_player_reads_back_as_it_was_stored
            given_raids_replace_the_stored_ones_and_others_stay
            a_player_who_moves_is_found_in_one_place_only
            pages_go_by_region_server_and_id
            a_dropped_player_who_is_ranked_again_is_one_no_more
            dropping_keeps_the_ranks_that_are_stored
            dropped_players_are_listed_by_id
        }
    };
}

pub(crate) use {expand, store_suite};
