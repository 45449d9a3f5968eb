//! Discovery rules, and their leases.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{after, before};
use stint_core::ports::PortError;
use stint_warcraftlogs::store::{Chunk, Claim, Pass, PassSummary, Pause, Rule, RuleDoubt, Rules, UpstreamPause};

use super::StoreBackend;
use crate::world::rule;

const LEASE: Duration = Duration::from_secs(300);
const DAY: Duration = Duration::from_secs(86_400);

/// A rule that ran `days` ago.
fn ran(world: &impl StoreBackend, number: usize, days: u32) -> Rule {
    Rule { last_run: Some(before(world.now(), DAY * days)), ..rule(number, (26, 4), (1, 9)) }
}

async fn claim(world: &impl StoreBackend) -> Option<Claim> {
    world.rules().claim_due(before(world.now(), DAY), LEASE).await.unwrap()
}

fn progress(now: Timestamp) -> Pass {
    let seen = PassSummary { players: 420, last_page: 5, last_announced_page: 6, span: None };
    Pass { started_at: now, chunks: vec![Chunk { next: 4, last: 5 }, Chunk { next: 6, last: 9 }], end: Some(8), seen }
}

async fn only(rules: &dyn Rules) -> stint_warcraftlogs::store::RuleStatus {
    rules.list().await.unwrap().documents.remove(0)
}

pub(crate) async fn rules_are_listed_by_raid_difficulty_and_first_page(world: &impl StoreBackend) {
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

pub(crate) async fn a_wrong_rule_is_refused_by_its_fields_name(world: &impl StoreBackend) {
    let wrong = [
        (rule(1, (0, 3), (1, 2)), "raid"),
        (rule(1, (26, 7), (1, 2)), "difficulty"),
        (rule(1, (26, 3), (0, 2)), "startPage"),
        (rule(1, (26, 3), (3, 2)), "endPage"),
        (rule(1, (26, 3), (1, 100_001)), "endPage"),
        (Rule { partition: Some(0), ..rule(1, (26, 3), (1, 2)) }, "partition"),
        (Rule { server: Some("kazzak".into()), ..rule(1, (26, 3), (1, 2)) }, "server"),
    ];
    for (rule, field) in wrong {
        let error = world.rules().put(&rule).await.unwrap_err();
        assert!(matches!(&error, PortError::Invalid(reason) if reason.starts_with(field)), "{error}");
    }
    assert_eq!(world.rules().list().await.unwrap().documents, []);
}

/// A rule with every option, and with fields of other software.
fn rule_of_others() -> Rule {
    let unknown = serde_json::json!({
        "owner": {"$oid": "638190fc00bc58421e002c99"}, "note": {"by": ["me", 1.5]}, "since": {"$date": {"$numberLong": "5"}},
        "pass": "ours has this name too", "nothing": null,
    });
    Rule {
        partition: Some(-1),
        size: Some(25),
        metric: Some("hps".into()),
        region: Some("EU".into()),
        server: Some("tarren-mill".into()),
        guild: Some("Écho".into()),
        unknown: unknown.as_object().unwrap().clone(),
        ..rule(1, (26, 4), (1, 9))
    }
}

pub(crate) async fn a_rule_keeps_its_options_and_unknown_fields(world: &impl StoreBackend) {
    let rule = rule_of_others();
    world.rules().put(&rule).await.unwrap();
    assert_eq!(only(&*world.rules()).await.rule, rule);
    let claim = claim(world).await.unwrap();
    assert_eq!(claim.rule, rule);
    let (pass, ran_at) = (progress(world.now()), world.now());
    assert!(world.rules().store_progress(&claim, &pass, LEASE).await.unwrap());
    assert!(world.rules().finish(&claim, &pass, ran_at).await.unwrap());
    let finished = only(&*world.rules()).await.rule;
    assert_eq!(finished, Rule { last_run: Some(ran_at), ..rule });
    world.rules().put(&finished).await.unwrap();
    assert_eq!(only(&*world.rules()).await.rule, finished);
}

pub(crate) async fn a_rule_whose_options_change_starts_over(world: &impl StoreBackend) {
    let rule = rule(1, (26, 4), (1, 9));
    world.rules().put(&rule).await.unwrap();
    let first = claim(world).await.unwrap();
    assert!(world.rules().store_progress(&first, &progress(world.now()), LEASE).await.unwrap());
    world.rules().put(&Rule { partition: Some(2), ..rule }).await.unwrap();
    assert!(!world.rules().finish(&first, &progress(world.now()), world.now()).await.unwrap());
    let again = claim(world).await.unwrap();
    assert_eq!((again.pass, again.rule.partition, again.rule.last_run), (None, Some(2), None));
}

pub(crate) async fn a_rule_is_removed_once(world: &impl StoreBackend) {
    let rule = rule(1, (26, 3), (1, 2));
    world.rules().put(&rule).await.unwrap();
    assert!(world.rules().remove(&rule.id).await.unwrap());
    assert!(!world.rules().remove(&rule.id).await.unwrap());
    assert_eq!(claim(world).await, None);
}

pub(crate) async fn the_rule_that_has_waited_longest_is_leased_first(world: &impl StoreBackend) {
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

pub(crate) async fn a_leased_rule_is_not_leased_again_before_its_lease_expires(world: &impl StoreBackend) {
    world.rules().put(&rule(1, (26, 4), (1, 9))).await.unwrap();
    let first = claim(world).await.unwrap();
    assert_eq!(claim(world).await, None);
    assert_eq!(only(&*world.rules()).await.leased_until, Some(after(world.now(), LEASE)));
    world.pass(LEASE - Duration::from_secs(1));
    assert_eq!(claim(world).await, None);
    world.pass(Duration::from_secs(1));
    assert!(claim(world).await.unwrap().lease > first.lease);
}

pub(crate) async fn progress_is_kept_and_renews_the_lease(world: &impl StoreBackend) {
    world.rules().put(&rule(1, (26, 4), (1, 9))).await.unwrap();
    let first = claim(world).await.unwrap();
    world.pass(LEASE / 2);
    assert!(world.rules().store_progress(&first, &progress(world.now()), LEASE).await.unwrap());
    let kept = progress(world.now());
    world.pass(LEASE - Duration::from_secs(1));
    assert_eq!(claim(world).await, None);
    world.pass(Duration::from_secs(1));
    assert_eq!(claim(world).await.unwrap().pass, Some(kept));
}

pub(crate) async fn an_old_lease_changes_nothing(world: &impl StoreBackend) {
    world.rules().put(&rule(1, (26, 4), (1, 9))).await.unwrap();
    let dead = claim(world).await.unwrap();
    world.pass(LEASE);
    let alive = claim(world).await.unwrap();
    let rules = world.rules();
    let before = only(&*rules).await;
    assert!(!rules.store_progress(&dead, &progress(world.now()), LEASE).await.unwrap());
    assert!(!rules.finish(&dead, &progress(world.now()), world.now()).await.unwrap());
    let pause = Pause { until: after(world.now(), DAY), reason: "banned".into() };
    rules.give_back(&dead, Some(pause)).await.unwrap();
    assert_eq!(only(&*rules).await, before);
    assert!(rules.finish(&alive, &progress(world.now()), world.now()).await.unwrap());
    assert!(!rules.store_progress(&dead, &progress(world.now()), LEASE).await.unwrap());
    assert_eq!(only(&*rules).await.pass, None);
}

pub(crate) async fn a_finished_rule_has_run_and_has_no_progress(world: &impl StoreBackend) {
    world.rules().put(&rule(1, (26, 4), (1, 9))).await.unwrap();
    let first = claim(world).await.unwrap();
    let pass = progress(world.now());
    assert!(world.rules().store_progress(&first, &pass, LEASE).await.unwrap());
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
    // For other pages nothing has been listed yet.
    world.rules().put(&Rule { end_page: 20, ..again.rule }).await.unwrap();
    assert_eq!(claim(world).await.unwrap().listed_until, None);
}

pub(crate) async fn a_paused_rule_keeps_its_progress_and_is_not_claimed(world: &impl StoreBackend) {
    world.rules().put(&rule(1, (26, 4), (1, 9))).await.unwrap();
    let first = claim(world).await.unwrap();
    let kept = progress(world.now());
    assert!(world.rules().store_progress(&first, &kept, LEASE).await.unwrap());
    let pause = Pause { until: after(world.now(), DAY), reason: "banned".into() };
    world.rules().give_back(&first, Some(pause.clone())).await.unwrap();
    let status = only(&*world.rules()).await;
    assert_eq!((status.pause, status.leased_until, status.rule.last_run), (Some(pause), None, None));
    world.pass(DAY - Duration::from_secs(1));
    assert_eq!(claim(world).await, None);
    world.pass(Duration::from_secs(1));
    let again = claim(world).await.unwrap();
    assert_eq!(again.pass, Some(kept.clone()));
    assert_eq!(only(&*world.rules()).await.pause, None);
    world.rules().give_back(&again, None).await.unwrap();
    assert_eq!(claim(world).await.unwrap().pass, Some(kept), "given back without a rest, it is due at once");
}

pub(crate) async fn a_rule_whose_pages_change_starts_over_and_fences_its_discovery(world: &impl StoreBackend) {
    world.rules().put(&rule(1, (26, 4), (1, 9))).await.unwrap();
    let first = claim(world).await.unwrap();
    assert!(world.rules().store_progress(&first, &progress(world.now()), LEASE).await.unwrap());
    world.rules().put(&rule(1, (26, 4), (1, 20))).await.unwrap();
    assert!(!world.rules().store_progress(&first, &progress(world.now()), LEASE).await.unwrap());
    assert!(!world.rules().finish(&first, &progress(world.now()), world.now()).await.unwrap());
    let again = claim(world).await.unwrap();
    assert_eq!((again.pass, again.rule.end_page), (None, 20));
}

fn doubt(now: Timestamp) -> RuleDoubt {
    RuleDoubt { at: now, reason: "page 1 names no player".into(), sample: Some("<table></table>".into()) }
}

/// A rule that is doubted until tomorrow, with the progress so far.
async fn doubted(world: &impl StoreBackend) -> Claim {
    world.rules().put(&ran(world, 1, 2)).await.unwrap();
    let first = claim(world).await.unwrap();
    let (pass, until) = (progress(world.now()), after(world.now(), DAY));
    assert!(world.rules().doubt(&first, Some(&pass), &doubt(world.now()), until).await.unwrap());
    first
}

pub(crate) async fn a_doubted_rule_is_paused_with_its_last_run_its_progress_and_the_page(world: &impl StoreBackend) {
    let first = doubted(world).await;
    let (seen, kept) = (doubt(world.now()), progress(world.now()));
    let status = only(&*world.rules()).await;
    let pause = Pause { until: after(world.now(), DAY), reason: seen.reason.clone() };
    assert_eq!((status.pause, status.leased_until), (Some(pause), None));
    assert_eq!((&status.rule, status.pass, status.doubt), (&first.rule, Some(kept.clone()), Some(seen.clone())));
    assert_eq!(claim(world).await, None);
    world.pass(DAY);
    let again = claim(world).await.unwrap();
    assert_eq!((again.pass, again.accepted), (Some(kept), false));
    assert_eq!(only(&*world.rules()).await.doubt, Some(seen), "it is kept until the rule is read");
}

pub(crate) async fn a_doubt_without_progress_starts_over(world: &impl StoreBackend) {
    world.rules().put(&rule(1, (26, 4), (1, 9))).await.unwrap();
    let first = claim(world).await.unwrap();
    assert!(world.rules().store_progress(&first, &progress(world.now()), LEASE).await.unwrap());
    assert!(world.rules().doubt(&first, None, &doubt(world.now()), world.now()).await.unwrap());
    assert_eq!(claim(world).await.unwrap().pass, None);
}

pub(crate) async fn an_accepted_doubt_ends_the_pause_and_is_cleared_once_the_rule_is_read(world: &impl StoreBackend) {
    assert!(!world.rules().accept(&rule(1, (26, 4), (1, 9)).id).await.unwrap(), "there is no such rule");
    let first = doubted(world).await;
    assert!(world.rules().accept(&first.rule.id).await.unwrap());
    let status = only(&*world.rules()).await;
    assert!(status.accepted && status.pause.is_none() && status.doubt.is_some());
    let again = claim(world).await.unwrap();
    assert!(again.accepted && again.last.is_none());
    let pass = progress(world.now());
    assert!(world.rules().finish(&again, &pass, world.now()).await.unwrap());
    let status = only(&*world.rules()).await;
    assert_eq!((status.doubt, status.accepted), (None, false));
    assert!(!world.rules().accept(&first.rule.id).await.unwrap(), "nothing is doubted any more");
    world.pass(DAY);
    let next = claim(world).await.unwrap();
    assert_eq!((next.last, next.accepted), (Some(pass.seen), false));
}

pub(crate) async fn a_new_doubt_asks_again_and_other_pages_have_none(world: &impl StoreBackend) {
    let first = doubted(world).await;
    assert!(world.rules().accept(&first.rule.id).await.unwrap());
    let again = claim(world).await.unwrap();
    assert!(!world.rules().doubt(&first, None, &doubt(world.now()), world.now()).await.unwrap(), "an old lease");
    assert!(world.rules().doubt(&again, None, &doubt(world.now()), world.now()).await.unwrap());
    assert!(!only(&*world.rules()).await.accepted);
    world.rules().put(&Rule { end_page: 20, ..first.rule }).await.unwrap();
    let status = only(&*world.rules()).await;
    assert_eq!((status.doubt, status.pause), (None, None));
}

pub(crate) async fn an_upstream_is_paused_until_the_later_end_in_every_process(world: &impl StoreBackend) {
    let pause = |upstream: &str, hours: u32, reason: &str| UpstreamPause {
        upstream: upstream.into(),
        pause: Pause { until: after(world.now(), Duration::from_secs(3600) * hours), reason: reason.into() },
    };
    let (pages, api) = (pause("site/pages", 6, "banned"), pause("site/api", 1, "challenged"));
    for pause in [&api, &pages, &pause("site/pages", 2, "banned for less"), &pages] {
        world.rules().pause_upstream(pause).await.unwrap();
    }
    assert_eq!(world.rules().upstreams().await.unwrap(), [api.clone(), pages]);
    let longer = pause("site/pages", 7, "banned again");
    world.rules().pause_upstream(&longer).await.unwrap();
    assert!(world.rules().resume_upstream("site/api").await.unwrap());
    assert!(!world.rules().resume_upstream("site/api").await.unwrap());
    assert_eq!(world.rules().upstreams().await.unwrap(), [longer]);
}

/// The instants that it wrote are in the future: the rule seems to have run, or to be leased, for days to come.
pub(crate) async fn a_clock_that_was_ahead_keeps_no_rule_from_others(world: &impl StoreBackend) {
    let rules = world.rules();
    rules.put(&Rule { last_run: Some(after(world.now(), DAY * 3)), ..ran(world, 1, 2) }).await.unwrap();
    assert!(claim(world).await.is_some());
    assert!(claim(world).await.is_none());
    rules.put(&ran(world, 1, 2)).await.unwrap();
    assert!(rules.claim_due(before(world.now(), DAY), DAY * 3).await.unwrap().is_some());
    assert!(claim(world).await.is_some());
    assert!(claim(world).await.is_none());
}
