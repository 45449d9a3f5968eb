//! Fetching ranks with every fault that can occur between the fleet and the upstream.

use std::time::Duration;

use futures::FutureExt;
use stint_core::clock::{Clock, after, between};
use stint_core::ledger::{CallEnd, KeyId, Reading, ReadingClaim};
use stint_core::points::Points;
use stint_warcraftlogs::message::QUEUE;

use crate::world::{Fault, FaultPlan, FleetWorld, Request, Setup, run_scenario};

/// Twenty messages, four batches, two keys.
fn world() -> FleetWorld {
    let mut setup = Setup::new(11, 20).odd_players().keys(&[400, 400], 120);
    setup.settings.concurrency_limit = 2;
    setup.build()
}

#[test]
fn a_transient_fault_is_recovered_in_the_same_invocation() {
    let faults = [
        Fault::Unreachable,
        Fault::Before(500),
        Fault::Before(502),
        Fault::After(500),
        Fault::After(520),
        Fault::Cut,
        Fault::Half,
        Fault::Replaced("<html><title>Bad gateway</title></html>"),
        Fault::Replaced(r#"{"errors":[{"message":"Internal server error"}]}"#),
        Fault::Replaced("[]"),
        Fault::Hang,
        Fault::RefusedFor(2),
        Fault::RefusedFor(0),
    ];
    for fault in faults {
        let world = world();
        run_scenario(&world, async {
            world.queue_all().await;
            world.network.fail(Request::Ranks, [fault, fault]);
            let fleet = world.start();
            fleet.run_until_idle().await;
            assert_eq!(fleet.totals().released, 0, "{fault:?}");
            world.assert_all_served().await;
        });
    }
}

#[test]
fn a_refused_token_is_renewed_once() {
    let world = world();
    run_scenario(&world, async {
        world.queue_all().await;
        world.network.fail(Request::Ranks, [Fault::Before(401)]);
        let fleet = world.start();
        fleet.run_until_idle().await;
        assert_eq!(world.network.sent(Request::Token), 3, "one for each key, and a new one");
        assert_eq!(fleet.totals().released, 0);
        world.assert_all_served().await;
    });
}

#[test]
fn expired_tokens_are_renewed_silently() {
    let mut setup = Setup::new(11, 40).keys(&[100], 30);
    setup.options.token_lifetime = Some(Duration::from_secs(20));
    let world = setup.build();
    run_scenario(&world, async {
        world.queue_all().await;
        let fleet = world.start();
        fleet.run_until_idle().await;
        assert!(world.network.sent(Request::Token) > 3);
        assert_eq!(fleet.totals().released, 0);
        world.assert_all_served().await;
    });
}

#[test]
fn a_short_429_slows_down_and_counts_no_failure() {
    let mut setup = Setup::new(11, 20).keys(&[400, 400], 120);
    setup.settings.concurrency_limit = 1;
    let world = setup.build();
    run_scenario(&world, async {
        world.queue_all().await;
        // More often than a failing call is tried.
        world.network.fail(Request::Ranks, [Fault::RefusedFor(2); 9]);
        let began = world.clock.now();
        let fleet = world.start();
        fleet.run_until_idle().await;
        assert!(between(began, world.clock.now()) >= Duration::from_secs(8), "the fleet slowed down");
        assert_eq!(fleet.totals().released, 0, "haste is no failure");
        world.assert_all_served().await;
        let keys = world.stores.pool.keys().await.unwrap();
        assert!(keys.iter().all(|key| key.refused == 0), "haste is not about points");
    });
}

#[test]
fn constant_rate_limiting_burns_no_receives() {
    let world = world();
    run_scenario(&world, async {
        world.queue_all().await;
        world.network.fail_all(Request::Ranks, Fault::RefusedFor(30));
        let fleet = world.start();
        fleet
            .run_while(async {
                world.pass(900).await;
                world.network.clear_faults();
                while world.ranked().await.is_empty() || world.stores.queue.counts().await.unwrap().unfinished() > 0 {
                    world.pass(1).await;
                }
            })
            .await;
        let sent = world.network.sent(Request::Ranks);
        assert!(sent < 100, "{sent} requests");
        assert_eq!(world.dead_letters().await, []);
        assert_eq!(fleet.totals().released, 0);
        world.assert_all_served().await;
    });
}

#[test]
fn a_long_429_pauses_the_key_and_another_continues() {
    let world = world();
    run_scenario(&world, async {
        world.queue_all().await;
        world.network.fail(Request::Ranks, [Fault::RefusedFor(90)]);
        let fleet = world.start();
        fleet.run_until_idle().await;
        assert_eq!(fleet.totals().released, 0, "a budget refusal is no failure");
        let keys = world.stores.pool.keys().await.unwrap();
        assert_eq!(keys.iter().map(|key| key.refused).sum::<u64>(), 1);
        world.assert_all_served().await;
    });
}

#[test]
fn when_every_key_is_paused_the_messages_are_parked_until_the_first_is_back() {
    let world = world();
    run_scenario(&world, async {
        world.queue_all().await;
        world.network.fail(Request::Ranks, [Fault::RefusedFor(90); 4]);
        let began = world.clock.now();
        let fleet = world.start();
        fleet.run_until_idle().await;
        let waited = between(began, world.clock.now());
        assert!(waited >= Duration::from_secs(90), "{waited:?}");
        assert_eq!((fleet.totals().released, world.dead_letters().await), (0, Vec::new()));
        world.assert_all_served().await;
    });
}

#[test]
fn five_real_failures_end_among_the_dead_letters_with_the_last_reason() {
    let mut setup = Setup::new(12, 4).keys(&[1_000], 3_600).unguarded();
    setup.settings.concurrency_limit = 1;
    let world = setup.build();
    run_scenario(&world, async {
        world.queue_all().await;
        world.network.fail(Request::Ranks, [Fault::Before(500); 12]);
        world.network.fail_all(Request::Ranks, Fault::Before(503));
        let fleet = world.start();
        fleet.run_until_idle().await;
        let dead = world.dead_letters().await;
        assert_eq!(dead.len(), 4);
        for letter in dead {
            assert_eq!(letter.receive_count, 5);
            assert!(letter.reason.contains("503"), "{}", letter.reason);
        }
        assert_eq!(world.network.sent(Request::Ranks), 5 * 3, "three tries a receive");
        assert_eq!(fleet.totals().released, 5 * 4);
        world.assert_no_player_lost().await;
        world.network.clear_faults();
        assert_eq!(world.stores.queue.redrive().await.unwrap(), 4);
        world.start().run_until_idle().await;
        world.assert_all_served().await;
    });
}

#[test]
fn a_key_revoked_in_its_window_is_paused_and_another_continues() {
    let mut setup = Setup::new(11, 100).keys(&[2_000, 2_000], 600);
    setup.settings.concurrency_limit = 2;
    let world = setup.build();
    run_scenario(&world, async {
        world.queue_all().await;
        world.stores.throttle.set(&stint_warcraftlogs::worker("rank-fetcher"), 2).await.unwrap();
        let calls = || world.network.sent(Request::Ranks);
        let fleet = world.start();
        fleet
            .run_while(async {
                while calls() < 4 {
                    world.clock.sleep(Duration::from_millis(50)).await;
                }
                // The key that resets first is used.
                world.accept(&world.stores.pool.keys().await.unwrap()[0].key.0, false);
                while world.stores.queue.counts().await.unwrap().unfinished() > 0 {
                    world.pass(1).await;
                }
            })
            .await;
        assert_eq!((fleet.totals().released, world.dead_letters().await), (0, Vec::new()));
        let (batches, tokens) = (world.all_players().len().div_ceil(5), world.network.sent(Request::Token));
        let refused = calls() - batches;
        assert!((1..=2).contains(&refused) && tokens <= 4, "{refused} calls were refused, of {tokens} tokens");
        world.assert_all_served().await;
    });
}

#[test]
fn a_repaired_key_is_used_again_automatically() {
    let world = Setup::new(11, 20).keys(&[100], 120).build();
    run_scenario(&world, async {
        world.queue_all().await;
        world.accept("key-1", false);
        let fleet = world.start();
        fleet
            .run_while(async {
                world.pass(3_600).await;
                assert_eq!(world.dead_letters().await, []);
                let tries = world.network.sent(Request::Token);
                assert!((3..=6).contains(&tries), "{tries} tries in an hour");
                world.accept("key-1", true);
                while world.ranked().await.is_empty() || world.stores.pool.count_parked(QUEUE).await.unwrap() > 0 {
                    world.pass(1).await;
                }
            })
            .await;
        world.start().run_until_idle().await;
        world.assert_all_served().await;
    });
}

#[test]
fn a_key_that_only_another_process_has_is_left_to_it() {
    let world = Setup::new(11, 40).keys(&[400], 120).build();
    run_scenario(&world, async {
        world.queue_all().await;
        let (fleet, pool) = (world.start(), &world.stores.pool);
        let [known, unknown] = ["key-1", "key-0"].map(|id| KeyId(id.into()));
        pool.configure(&[known, unknown.clone()]).await.unwrap();
        // The other process has read its counter: it resets first, so it is used first.
        let claim = ReadingClaim { key: unknown.clone(), started: 0 };
        let (limit, spent, received_at) = (Points::whole(400), Points::ZERO, world.clock.now());
        let reading = Reading { limit, spent, resets_in: Duration::from_secs(60), received_at };
        pool.observe(&claim, CallEnd::Answered(reading)).await.unwrap();
        fleet.run_until_idle().await;
        assert_eq!(fleet.totals().released, 0);
        let rests = pool.keys().await.unwrap().into_iter().find(|status| status.key == unknown).unwrap();
        assert!(rests.renews_at <= after(world.clock.now(), Duration::from_secs(62)), "{rests:?}");
        pool.configure(&world.settings.key_ids()).await.unwrap();
        world.assert_outcomes(&world.asked_of(&world.all_players())).await;
    });
}

#[test]
fn a_counter_that_is_refused_does_not_end_an_operators_pause() {
    let world = Setup::new(11, 20).keys(&[400], 120).build();
    run_scenario(&world, async {
        let until = after(world.clock.now(), Duration::from_secs(7_200));
        let (pool, key) = (world.stores.pool.clone(), world.settings.wcl_keys[0].id.clone());
        // After the breaker is read and the counter is claimed, before the request.
        let faults = FaultPlan::run_at(5, move || {
            assert!(pool.pause(&key, Some(until)).now_or_never().unwrap().unwrap());
        });
        world.network.fail(Request::Points, [Fault::RefusedFor(90)]);
        world.start_with(&faults).run("reviver").await;
        assert_eq!(world.network.sent(Request::Points), 1);
        assert_eq!(world.stores.pool.keys().await.unwrap()[0].renews_at, until);
    });
}

#[test]
fn wrong_credentials_are_said_and_spend_nothing() {
    let mut setup = Setup::new(12, 4);
    setup.settings.wcl_keys[0].secret = secrecy::SecretString::from("mistyped");
    let world = setup.build();
    run_scenario(&world, async {
        world.queue_all().await;
        let fleet = world.start();
        fleet.run_while(world.pass(1_800)).await;
        world.assert_no_player_lost().await;
        assert_eq!((world.counters().charged, world.dead_letters().await), (Points::ZERO, Vec::new()));
        let requests = world.network.sent(Request::Token);
        assert!(requests <= 3, "{requests} requests for a token in half an hour");
    });
}
