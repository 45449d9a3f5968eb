//! Whole simulations: the same seed twice, nothing lost and nothing overspent whatever goes wrong, and the figures that
//! the fleet promises.

use super::*;

/// Enough for a few seconds.
const SEEDS: u64 = 40;

fn plan(players: u32, keys: &[u64], hours: f64) -> Plan {
    Plan {
        players,
        keys: keys.iter().map(|limit| Points::whole(*limit)).collect(),
        hours: Duration::from_secs_f64(hours * 3_600.0),
        strategy: None,
        workers: None,
        seed: 1,
        faults: Faults::none(),
    }
}

fn play(plan: &Plan) -> Report {
    simulate(plan, Settings::from_environment().unwrap(), &|_| {}).unwrap().0
}

#[test]
fn the_same_seed_prints_the_same_report() {
    let plan = Plan { faults: Faults::all(), seed: 5, ..plan(1_500, &[3_600, 1_200], 10.0) };
    let print = |plan: &Plan| serde_json::to_string_pretty(&play(plan)).unwrap();
    // Nothing but `wall_seconds`, which the caller fills in, may differ between two runs.
    let first = print(&plan);
    assert_eq!(first, print(&plan));
    assert_ne!(first, print(&Plan { seed: 6, ..plan }));
}

#[test]
fn with_every_fault_nothing_is_lost_and_nothing_overspent() {
    for seed in 0..SEEDS {
        let report = play(&Plan {
            seed,
            faults: Faults::all(),
            workers: Some(1 + seed as u32 % 20),
            ..plan(400, &[900, 400], 12.0)
        });
        assert_eq!(report.players.lost, 0, "seed {seed}");
        assert_eq!(report.budget.overspent, Points::ZERO, "seed {seed}");
        assert_eq!(report.budget.refused_calls, 0, "seed {seed}");
        assert_eq!(report.players.discovered, 400, "seed {seed}");
        assert!(report.players.ranked > 100, "seed {seed}: {:?}", report.players);
    }
}

#[test]
fn each_fault_alone_does_no_harm() {
    for (_, name) in stint_simulation::Fault::ALL {
        let report = play(&Plan { faults: name.parse().unwrap(), ..plan(600, &[1_800, 900], 12.0) });
        assert_eq!((report.players.lost, report.budget.overspent), (0, Points::ZERO), "{name}");
        assert!(report.players.ranked > 300, "{name}: {:?}", report.players);
    }
}

#[test]
fn a_backlog_is_spent_to_the_last_points_and_no_receive_is_burnt() {
    let report = play(&plan(40_000, &[18_000, 3_600], 12.0));
    assert!(report.budget.utilisation >= 0.997, "{:?}", report.budget);
    assert_eq!((report.budget.overspent, report.budget.refused_calls), (Points::ZERO, 0));
    assert!(report.queue.receives_per_success <= 1.01, "{:?}", report.queue);
    assert_eq!(report.queue.dead_letters, 0);
    let cloud = report.simulation.unwrap().cloud;
    assert!(cloud.control_plane.throttle_writes <= 120, "{:?}", cloud.control_plane);
    assert_eq!(cloud.control_plane.refused, 0);
}

#[test]
fn the_source_documents_rule_burns_receives() {
    let report = play(&Plan { strategy: Some(BudgetStrategy::WorstCase), ..plan(40_000, &[18_000, 3_600], 12.0) });
    assert!(report.queue.receives_per_success > 1.5, "{:?}", report.queue);
    assert_eq!(report.players.lost, 0);
}

#[test]
fn whoever_fits_is_done_and_is_told_so_first() {
    let report = play(&plan(2_000, &[18_000], 12.0));
    let outcome = report.simulation.as_ref().unwrap();
    assert!(outcome.fits);
    assert_eq!(outcome.ages.never, 0);
    let words = words::in_words(&report);
    assert!(words.starts_with("yes: 2,000 players are done after "), "{words}");
}

#[test]
fn whoever_does_not_fit_is_told_what_would() {
    let report = play(&plan(60_000, &[3_600], 12.0));
    let words = words::in_words(&report);
    let first = words.lines().next().unwrap();
    assert!(first.starts_with("no: these keys serve ") && first.contains("60,000 players need "), "{first}");
}
