//! The site's own breaker, beside the API's.

use std::time::Duration;

use stint_core::clock::{Clock, after};
use stint_warcraftlogs::client::UPSTREAM;
use stint_warcraftlogs::discovery::SITE;

use crate::world::{Fault, FleetWorld, Request, Setup, run_scenario};

const HALF_AN_HOUR: Duration = Duration::from_secs(1_800);

async fn is_open(world: &FleetWorld, upstream: &str) -> bool {
    !world.stores.breakers.load(upstream).await.unwrap().1.is_closed()
}

/// Three rules.
fn world(seed: u64) -> FleetWorld {
    let mut setup = Setup::new(seed, 300).rankings(&[(26, 3), (26, 4), (26, 5)]).keys(&[20_000], 3_600);
    setup.settings.pages_per_thread = 1;
    setup.build()
}

#[test]
fn a_site_that_is_down_takes_few_requests_and_is_read_afterwards() {
    for fault in [Fault::Before(502), Fault::Hang] {
        let world = world(210);
        run_scenario(&world, async {
            world.add_rules(0).await;
            world.network.fail_all(Request::Page, fault);
            for _ in 0..48 {
                world.start().run("discover").await;
                world.clock.sleep(HALF_AN_HOUR).await;
            }
            let pages = world.network.sent(Request::Page);
            assert!(pages < 200, "{pages} requests in a day of {fault:?}");
            world.network.clear_faults();
            world.clock.sleep(HALF_AN_HOUR * 12).await;
            world.start().discover_everything().await;
            assert!(!is_open(&world, SITE).await, "{fault:?}");
            let rules = world.stores.rules.list().await.unwrap().documents;
            assert!(rules.iter().all(|rule| rule.rule.last_run.is_some()), "{fault:?}: every rule was read afterwards");
        });
    }
}

#[test]
fn no_page_is_requested_while_the_api_on_the_same_host_is_down() {
    let world = world(220);
    run_scenario(&world, async {
        world.add_rules(0).await;
        world.queue_all().await;
        for kind in [Request::Token, Request::Points, Request::Ranks] {
            world.network.fail_all(kind, Fault::Before(502));
        }
        world.start().run_until(after(world.clock.now(), Duration::from_secs(60))).await;
        assert!(is_open(&world, UPSTREAM).await);
        let report = world.start().run("discover").await;
        assert!(report["stopped"].as_str().unwrap().starts_with("warcraftlogs-api has been down since"), "{report}");
        assert_eq!(world.network.sent(Request::Page), 0);
        world.network.clear_faults();
        world.start().run_until_idle().await;
        world.clock.sleep(HALF_AN_HOUR).await;
        world.start().discover_everything().await;
        assert!(world.network.sent(Request::Page) > 0);
        world.assert_all_served().await;
    });
}
