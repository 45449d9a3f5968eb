//! When the fleet last passed its stages.

use std::time::Duration;

use stint_core::clock::{after, before};
use stint_warcraftlogs::store::{Milestone, MilestoneTimes};

use super::StoreBackend;

pub(crate) async fn nothing_is_reached_at_first(world: &impl StoreBackend) {
    assert_eq!(world.milestones().reached().await.unwrap(), MilestoneTimes::default());
}

pub(crate) async fn milestones_are_independent_and_the_last_write_wins(world: &impl StoreBackend) {
    let mut expected = MilestoneTimes::default();
    for (minutes, milestone) in [7, 3, 9, 1, 5].into_iter().zip(Milestone::ALL) {
        let at = after(world.now(), Duration::from_secs(60 * minutes));
        world.milestones().pass(milestone, at).await.unwrap();
        expected.set(milestone, at);
        assert_eq!(world.milestones().reached().await.unwrap(), expected);
    }
    let earlier = before(world.now(), Duration::from_secs(60));
    world.milestones().pass(Milestone::Emptied, earlier).await.unwrap();
    assert_eq!(world.milestones().reached().await.unwrap(), MilestoneTimes { emptied: Some(earlier), ..expected });
}
