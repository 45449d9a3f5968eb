//! Queries other than the fleet's main work are paid for like any other call.

use stint_core::ledger::KeyState;
use stint_warcraftlogs::budget::Counted;
use stint_warcraftlogs::discovery::{ApiServerIds, ServerIdError, ServerIds};

use crate::world::{Fault, FaultPlan, FleetWorld, Process, Request, Setup, run_scenario};

/// Asks for the id of a server.
async fn ask(world: &FleetWorld, fleet: &Process) -> Result<u32, ServerIdError> {
    let realm = world.population().character(world.all_players()[0]).unwrap().realm.clone();
    ApiServerIds::new(fleet.budget.clone()).id(realm.region, realm.slug).await
}

#[test]
fn a_key_that_is_refused_is_no_reason_not_to_ask_with_another() {
    for refused in [0, 1] {
        let world = Setup::new(81, 20).keys(&[400, 400], 60).build();
        run_scenario(&world, async {
            let fleet = world.start();
            world.accept(&world.settings.wcl_keys[refused].id.0.clone(), false);
            ask(&world, &fleet).await.unwrap();
            assert_eq!(fleet.budget.counts.total(Counted::Readings), 1);
            let keys = world.stores.pool.keys().await.unwrap();
            let in_use = keys.iter().filter(|key| key.state == KeyState::Open).count();
            assert_eq!(in_use, 1, "{keys:?}");
        });
    }
}

#[test]
fn a_query_reports_why_no_counter_could_be_read() {
    let world = Setup::new(82, 20).build();
    run_scenario(&world, async {
        let fleet = world.start();
        world.accept(&world.settings.wcl_keys[0].id.0.clone(), false);
        let Err(ServerIdError::Transient(reason)) = ask(&world, &fleet).await else { panic!("it was answered") };
        assert!(reason.contains("no key has 5 points for it before 2026-"), "{reason}");
        assert!(reason.contains("; the counter of a key cannot be read: "), "{reason}");
    });
}

#[test]
fn an_upstream_that_is_down_keeps_no_counter_from_being_read_when_it_is_back() {
    let world = Setup::new(83, 20).build();
    run_scenario(&world, async {
        let fleet = world.start();
        world.network.fail_all(Request::Points, Fault::Instead(403, "<title>Just a moment...</title>"));
        for expected in ["no key has 5 points for it", "warcraftlogs-api has been down since"] {
            let Err(ServerIdError::Transient(reason)) = ask(&world, &fleet).await else { panic!("it was answered") };
            assert!(reason.contains(expected), "{reason}");
            let keys = world.stores.pool.keys().await.unwrap();
            assert!(keys.iter().all(|key| !key.being_read), "{keys:?}");
        }
    });
}

#[test]
fn an_answer_that_was_paid_for_is_kept_though_the_pool_cannot_settle_it() {
    let mut unsettled = 0;
    for step in 1..=24 {
        let world = Setup::new(84, 20).build();
        run_scenario(&world, async {
            let fleet = world.start_with(&FaultPlan::fail_at(step));
            let answer = ask(&world, &fleet).await;
            let keys = world.stores.pool.keys().await.unwrap();
            unsettled += u32::from(answer.is_ok() && keys.iter().any(|key| key.in_flight > 0));
            let came = world.network.sent(Request::WorldData) == 1
                && !matches!(&answer, Err(ServerIdError::Transient(reason)) if reason.contains("was cut off"));
            assert_eq!(answer.is_ok(), came, "step {step}: {answer:?}");
        });
    }
    assert!(unsettled > 0, "no step was the one that settles");
}
