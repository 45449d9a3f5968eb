//! Discovery rules, and who works on them.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{after, before};
use stint_core::ports::PortError;
use stint_warcraftlogs::store::{Chunk, Claim, Pass, Rest, Rule, Rules};

use super::StoreWorld;
use crate::world::rule;

const LEASE: Duration = Duration::from_secs(300);
const DAY: Duration = Duration::from_secs(86_400);

/// A rule that ran `days` ago.
fn ran(world: &impl StoreWorld, number: usize, days: u32) -> Rule {
    Rule { last_run: Some(before(world.now(), DAY * days)), ..rule(number, (26, 4), (1, 9)) }
}

async fn claim(world: &impl StoreWorld) -> Option<Claim> {
    world.rules().claim_due(before(world.now(), DAY), LEASE).await.unwrap()
}

fn progress(now: Timestamp) -> Pass {
    Pass { started_at: now, chunks: vec![Chunk { next: 4, last: 5 }, Chunk { next: 6, last: 9 }], end: Some(8) }
}

async fn only(rules: &dyn Rules) -> stint_warcraftlogs::store::RuleStatus {
    rules.list().await.unwrap().documents.remove(0)
}

pub(crate) async fn rules_are_listed_by_raid_difficulty_and_first_page(world: &impl StoreWorld) {
    let sorted = [
        rule(9, (26, 3), (1, 5)),
        rule(8, (26, 3), (6, 9)),
        rule(3, (26, 5), (1, 9)),
        Rule { last_run: Some(world.now()), ..rule(1, (28, 3), (1, 9)) },
    ];
    for index in [2, 0, 3, 1] {
        world.rules().put(&sorted[index]).await.unwrap();
    }
    let listed: Vec<Rule> =
        world.rules().list().await.unwrap().documents.into_iter().map(|status| status.rule).collect();
    assert_eq!(listed, sorted);
}

pub(crate) async fn a_wrong_rule_is_refused_by_its_fields_name(world: &impl StoreWorld) {
    let wrong = [
        (rule(1, (0, 3), (1, 2)), "raid"),
        (rule(1, (26, 7), (1, 2)), "difficulty"),
        (rule(1, (26, 3), (0, 2)), "startPage"),
        (rule(1, (26, 3), (3, 2)), "endPage"),
        (rule(1, (26, 3), (1, 100_001)), "endPage"),
    ];
    for (rule, field) in wrong {
        let error = world.rules().put(&rule).await.unwrap_err();
        assert!(matches!(&error, PortError::Invalid(reason) if reason.starts_with(field)), "{error}");
    }
    assert_eq!(world.rules().list().await.unwrap().documents, []);
}

pub(crate) async fn a_rule_is_removed_once(world: &impl StoreWorld) {
    let rule = rule(1, (26, 3), (1, 2));
    world.rules().put(&rule).await.unwrap();
    assert!(world.rules().remove(&rule.id).await.unwrap());
    assert!(!world.rules().remove(&rule.id).await.unwrap());
    assert_eq!(claim(world).await, None);
}

pub(crate) async fn the_rule_that_has_waited_longest_is_lent_first(world: &impl StoreWorld) {
    let never = rule(4, (26, 4), (1, 9));
    for rule in [&ran(world, 1, 2), &ran(world, 2, 3), &ran(world, 3, 0), &never] {
        world.rules().put(rule).await.unwrap();
    }
    let mut order = Vec::new();
    while let Some(claim) = claim(world).await {
        assert_eq!(claim.pass, None);
        order.push(claim.rule.id);
    }
    assert_eq!(order, [never.id, ran(world, 2, 3).id, ran(world, 1, 2).id], "the one that is fresh is not due");
}

pub(crate) async fn a_rule_on_loan_is_lent_to_nobody_until_its_lease_is_over(world: &impl StoreWorld) {
    world.rules().put(&rule(1, (26, 4), (1, 9))).await.unwrap();
    let first = claim(world).await.unwrap();
    assert_eq!(claim(world).await, None);
    assert_eq!(only(&*world.rules()).await.leased_until, Some(after(world.now(), LEASE)));
    world.pass(LEASE - Duration::from_secs(1));
    assert_eq!(claim(world).await, None);
    world.pass(Duration::from_secs(1));
    assert!(claim(world).await.unwrap().lease > first.lease);
}

pub(crate) async fn progress_is_kept_and_renews_the_lease(world: &impl StoreWorld) {
    world.rules().put(&rule(1, (26, 4), (1, 9))).await.unwrap();
    let first = claim(world).await.unwrap();
    world.pass(LEASE / 2);
    assert!(world.rules().keep(&first, &progress(world.now()), LEASE).await.unwrap());
    let kept = progress(world.now());
    world.pass(LEASE - Duration::from_secs(1));
    assert_eq!(claim(world).await, None);
    world.pass(Duration::from_secs(1));
    assert_eq!(claim(world).await.unwrap().pass, Some(kept));
}

pub(crate) async fn an_old_lease_changes_nothing(world: &impl StoreWorld) {
    world.rules().put(&rule(1, (26, 4), (1, 9))).await.unwrap();
    let dead = claim(world).await.unwrap();
    world.pass(LEASE);
    let alive = claim(world).await.unwrap();
    let rules = world.rules();
    let before = only(&*rules).await;
    assert!(!rules.keep(&dead, &progress(world.now()), LEASE).await.unwrap());
    assert!(!rules.finish(&dead, &progress(world.now()), world.now()).await.unwrap());
    let rest = Rest { until: after(world.now(), DAY), reason: "banned".into() };
    rules.give_back(&dead, Some(rest)).await.unwrap();
    assert_eq!(only(&*rules).await, before);
    assert!(rules.finish(&alive, &progress(world.now()), world.now()).await.unwrap());
    assert!(!rules.keep(&dead, &progress(world.now()), LEASE).await.unwrap());
    assert_eq!(only(&*rules).await.pass, None);
}

pub(crate) async fn a_finished_rule_has_run_and_has_no_progress(world: &impl StoreWorld) {
    world.rules().put(&rule(1, (26, 4), (1, 9))).await.unwrap();
    let first = claim(world).await.unwrap();
    let pass = progress(world.now());
    assert!(world.rules().keep(&first, &pass, LEASE).await.unwrap());
    world.pass(LEASE / 2);
    let ran_at = world.now();
    assert!(world.rules().finish(&first, &pass, ran_at).await.unwrap());
    let status = only(&*world.rules()).await;
    assert_eq!((status.rule.last_run, status.pass, status.leased_until), (Some(ran_at), None, None));
    assert_eq!(claim(world).await, None);
    world.pass(DAY);
    let again = claim(world).await.unwrap();
    assert_eq!((again.rule.last_run, again.pass), (Some(ran_at), None));
    assert_eq!(
        (first.listed_until, again.listed_until),
        (None, Some(pass.started_at)),
        "from here on nothing is listed"
    );
    // Of other pages nothing was listed yet.
    world.rules().put(&Rule { end_page: 20, ..again.rule }).await.unwrap();
    assert_eq!(claim(world).await.unwrap().listed_until, None);
}

pub(crate) async fn a_resting_rule_keeps_its_progress_and_is_left_alone(world: &impl StoreWorld) {
    world.rules().put(&rule(1, (26, 4), (1, 9))).await.unwrap();
    let first = claim(world).await.unwrap();
    let kept = progress(world.now());
    assert!(world.rules().keep(&first, &kept, LEASE).await.unwrap());
    let rest = Rest { until: after(world.now(), DAY), reason: "banned".into() };
    world.rules().give_back(&first, Some(rest.clone())).await.unwrap();
    let status = only(&*world.rules()).await;
    assert_eq!((status.resting, status.leased_until, status.rule.last_run), (Some(rest), None, None));
    world.pass(DAY - Duration::from_secs(1));
    assert_eq!(claim(world).await, None);
    world.pass(Duration::from_secs(1));
    let again = claim(world).await.unwrap();
    assert_eq!(again.pass, Some(kept.clone()));
    assert_eq!(only(&*world.rules()).await.resting, None);
    world.rules().give_back(&again, None).await.unwrap();
    assert_eq!(claim(world).await.unwrap().pass, Some(kept), "given back without a rest, it is due at once");
}

pub(crate) async fn a_rule_whose_pages_change_begins_anew_and_fences_its_discovery(world: &impl StoreWorld) {
    world.rules().put(&rule(1, (26, 4), (1, 9))).await.unwrap();
    let first = claim(world).await.unwrap();
    assert!(world.rules().keep(&first, &progress(world.now()), LEASE).await.unwrap());
    world.rules().put(&rule(1, (26, 4), (1, 20))).await.unwrap();
    assert!(!world.rules().keep(&first, &progress(world.now()), LEASE).await.unwrap());
    assert!(!world.rules().finish(&first, &progress(world.now()), world.now()).await.unwrap());
    let again = claim(world).await.unwrap();
    assert_eq!((again.pass, again.rule.end_page), (None, 20));
}
