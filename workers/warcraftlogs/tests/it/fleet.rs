//! From discovery to ranks, with keys that run dry.

use stint_testkit::drive;

use crate::world::Setup;

#[test]
fn everybody_who_is_discovered_is_ranked_or_dropped() {
    let world = Setup::new(41, 300).odd_players().keys(&[700, 400], 60).build();
    drive(&world.clock, async {
        world.add_rules(2).await;
        let fleet = world.start();
        fleet.discover_everything().await;
        assert_eq!(world.discovered().await.len(), world.everybody().len());
        fleet.run("aggregator").await;
        fleet.run_until_idle().await;
        world.assert_all_served().await;
        println!("{:?} {:?} {:?}", fleet.totals(), world.elapsed(), world.books().keys);
    });
}
