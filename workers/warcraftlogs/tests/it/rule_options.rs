//! The options of a rule and of the settings reach the upstream, and the results are stored.

use std::collections::{BTreeMap, BTreeSet};

use stint_standins::warcraftlogs::{RankQuery, TableFilters};
use stint_warcraftlogs::discovery::DiscoverySource;
use stint_warcraftlogs::model::{PlayerId, RaidRanks};
use stint_warcraftlogs::rank_queries::Compare;
use stint_warcraftlogs::store::Rule;

use crate::world::{FleetWorld, Request, Setup, as_stored, rule, run_scenario};

/// The ranking in these worlds.
const RANKING: (u32, u32) = (26, 4);

fn setup(players: u32) -> Setup {
    Setup::new(17, players).rankings(&[RANKING, (28, 4)])
}

/// The players that a rule finds when it reads all of its pages.
async fn discovered(world: &FleetWorld, rule: Rule) -> Vec<PlayerId> {
    world.stores.rules.put(&rule).await.unwrap();
    let report = world.start().run("discover").await;
    assert_eq!(report["finished"], true, "{report}");
    world.discovered().await.into_keys().collect()
}

fn narrowed(world: &FleetWorld, narrowed: impl FnOnce(TableFilters) -> TableFilters) -> Vec<PlayerId> {
    world.population().discoverable_in(RANKING.0, RANKING.1, narrowed(TableFilters::all(RANKING.1)))
}

#[test]
fn each_option_of_a_rule_narrows_the_pages_that_are_read() {
    type Options = (Rule, fn(TableFilters) -> TableFilters);
    let options: [Options; 5] = [
        (Rule::default(), |all| all),
        (Rule { partition: Some(2), ..Rule::default() }, |all| TableFilters { partition: 2, ..all }),
        (Rule { size: Some(25), ..Rule::default() }, |all| TableFilters { size: 25, ..all }),
        (Rule { metric: Some("hps".into()), ..Rule::default() }, |all| TableFilters { healers: Some(true), ..all }),
        (Rule { region: Some("kr".into()), ..Rule::default() }, |all| TableFilters { region: 3, ..all }),
    ];
    let mut seen = BTreeSet::new();
    for (options, narrow) in options {
        let world = setup(600).build();
        let rule =
            Rule { id: "0".repeat(24), raid: RANKING.0, difficulty: RANKING.1, start_page: 1, end_page: 9, ..options };
        let found = run_scenario(&world, discovered(&world, rule));
        assert_eq!(found, narrowed(&world, narrow));
        assert!(!found.is_empty() && seen.insert(found), "each option shows other players");
        assert_eq!(world.network.sent(Request::WorldData), 0, "only a server is looked up");
    }
}

#[test]
fn a_server_is_asked_for_by_its_slug_once_and_paid_for() {
    let world = setup(900).build();
    let (server, region) = (Some("tarren-mill".to_owned()), Some("eu".to_owned()));
    let found = run_scenario(&world, async {
        let found = discovered(&world, Rule { server, region, ..rule(1, RANKING, (1, 20)) }).await;
        world.assert_accounts_agree().await;
        found
    });
    let population = world.population();
    let lives_there = |id: &PlayerId| {
        let realm = population.character(*id).unwrap().realm;
        (realm.region, realm.slug) == ("EU", "tarren-mill")
    };
    let expected = population.discoverable(&[RANKING]).into_iter().filter(lives_there);
    assert_eq!(found, expected.collect::<Vec<_>>());
    assert_eq!(world.network.sent(Request::WorldData), 1);
    assert!(found.len() > 5 && !world.counters().charged.is_zero());
}

#[test]
fn an_unsupported_rule_is_paused_with_the_reason() {
    for (options, expected) in [
        (
            Rule { server: Some("atlantis".into()), ..Rule::default() },
            "server: EU has no server atlantis; replace the rule",
        ),
        (
            Rule { server: Some("kazzak".into()), guild: Some("Echo".into()), ..Rule::default() },
            "guild: the site has no ranking of one guild's players; set DISCOVERY_SOURCE=reports",
        ),
    ] {
        let world = setup(100).build();
        run_scenario(&world, async {
            let Rule { server, guild, .. } = options;
            let options = Rule { server, guild, region: Some("EU".into()), ..rule(1, RANKING, (1, 9)) };
            world.stores.rules.put(&options).await.unwrap();
            let stopped = world.start().run("discover").await["stopped"].to_string();
            assert!(stopped.contains(expected), "{stopped}");
            let status = world.stores.rules.list().await.unwrap().documents.remove(0);
            assert!(status.pause.is_some_and(|pause| pause.reason.contains(expected)));
        });
        assert_eq!(world.network.sent(Request::Page), 0, "nothing is asked of the site");
    }
}

#[test]
fn reports_are_read_of_a_region_a_server_or_a_guild() {
    let found = |options: Rule| {
        let mut setup = setup(3_000);
        setup.settings.discovery_source = DiscoverySource::Reports;
        setup.settings.delay_discovery_in_hours = 8 * 24;
        let world = setup.build();
        let rule =
            Rule { id: "0".repeat(24), raid: RANKING.0, difficulty: RANKING.1, start_page: 1, end_page: 99, ..options };
        let found: BTreeSet<PlayerId> = run_scenario(&world, discovered(&world, rule)).into_iter().collect();
        (world, found)
    };
    let (world, all) = found(Rule::default());
    let population = world.population();
    let of = |region: &str, slug: Option<&str>| -> BTreeSet<PlayerId> {
        let lives_there = |id: &PlayerId| {
            let realm = population.character(*id).unwrap().realm;
            realm.region == region && slug.is_none_or(|slug| slug == realm.slug)
        };
        all.iter().copied().filter(lives_there).collect()
    };
    let region = || Some("EU".to_owned());
    let server = || Some("tarren-mill".to_owned());
    assert_eq!(found(Rule { region: region(), ..Rule::default() }).1, of("EU", None));
    let (_, on_server) = found(Rule { region: region(), server: server(), ..Rule::default() });
    assert_eq!(on_server, of("EU", Some("tarren-mill")));
    assert!(!on_server.is_empty());
    let guild =
        |name: &str| found(Rule { region: region(), server: server(), guild: Some(name.into()), ..Rule::default() }).1;
    let of_guild = guild("Guild 0");
    assert!(!of_guild.is_empty() && of_guild.len() < all.len() && of_guild.is_subset(&all), "{of_guild:?}");
}

/// The stored ranks of all players in one raid and difficulty.
async fn ranks(world: &FleetWorld, unit: (u32, u32)) -> BTreeMap<PlayerId, RaidRanks> {
    let ranked = world.ranked().await.into_iter();
    ranked.filter_map(|(id, player)| Some((id, player.raids.get(&unit.0)?.get(&unit.1)?.clone()))).collect()
}

fn truth(world: &FleetWorld, unit: (u32, u32), query: &RankQuery) -> BTreeMap<PlayerId, RaidRanks> {
    let population = world.population();
    let ids = population.discoverable(&[unit]).into_iter();
    ids.map(|id| (id, as_stored(&population.true_ranks_for(id, unit.0, unit.1, query).unwrap()))).collect()
}

#[test]
fn settings_and_rules_say_how_ranks_are_asked_for() {
    let mut setup = setup(60);
    setup.settings.ranks.wcl_by_bracket = Some(true);
    setup.settings.ranks.wcl_compare = Some(Compare::Parses);
    let world = setup.build();
    let fleet = RankQuery { by_bracket: true, parses: true, ..RankQuery::default() };
    let of_rule = RankQuery { metric: Some("hps".into()), partition: Some(1), size: Some(25), ..fleet.clone() };
    run_scenario(&world, async {
        let says = Rule { metric: Some("hps".into()), partition: Some(1), size: Some(25), ..rule(1, RANKING, (1, 1)) };
        world.stores.rules.put(&says).await.unwrap();
        world.stores.rules.put(&rule(2, (28, 4), (1, 1))).await.unwrap();
        world.queue_all().await;
        world.start().run_until_idle().await;
        assert_eq!(ranks(&world, RANKING).await, truth(&world, RANKING, &of_rule));
        assert_eq!(ranks(&world, (28, 4)).await, truth(&world, (28, 4), &fleet));
        assert_ne!(truth(&world, RANKING, &fleet), truth(&world, RANKING, &of_rule));
        world.assert_accounts_agree().await;
    });
}

#[test]
fn a_rule_that_is_changed_is_obeyed_a_minute_later() {
    let world = setup(60).build();
    run_scenario(&world, async {
        let fleet = world.start();
        let all_players = world.population().discoverable(&[RANKING]);
        let (first, second) = (all_players[0], all_players[1]);
        let at_partition = |partition| RankQuery { partition: Some(partition), ..RankQuery::default() };
        for (id, partition) in [(first, 1), (second, 2)] {
            world.stores.rules.put(&Rule { partition: Some(partition), ..rule(1, RANKING, (1, 1)) }).await.unwrap();
            world.pass(61).await;
            let body = format!(r#"{{"id":{id},"raidsToScrap":{{"26":[4]}}}}"#);
            fleet.invoke_by_hand("rank-fetcher", &body).await;
            let expected = truth(&world, RANKING, &at_partition(i64::from(partition)));
            assert_eq!(ranks(&world, RANKING).await[&id], expected[&id], "partition {partition}");
        }
    });
}

#[test]
fn several_metrics_are_kept_side_by_side_and_paid_for() {
    let mut setup = setup(60).keys(&[300], 60);
    setup.settings.ranks.wcl_metric = vec!["dps".into(), "hps".into()];
    let world = setup.build();
    let by = |metric: &str| truth(&world, RANKING, &RankQuery { metric: Some(metric.into()), ..RankQuery::default() });
    let (mut expected, healing) = (by("dps"), by("hps"));
    for (id, ranks) in &mut expected {
        ranks.metrics.insert("hps".into(), healing[id].clone());
    }
    run_scenario(&world, async {
        world.queue_all().await;
        world.start().run_until_idle().await;
        assert_eq!(ranks(&world, RANKING).await, expected);
        // Each metric has its price, and nothing is overspent.
        world.assert_accounts_agree().await;
    });
}

#[test]
fn the_metrics_that_are_the_same_are_kept_once() {
    let mut setup = setup(60);
    setup.settings.ranks.wcl_metric = vec!["default".into(), "dps".into()];
    let world = setup.build();
    run_scenario(&world, async {
        world.queue_all().await;
        world.start().run_until_idle().await;
        let stored = ranks(&world, RANKING).await;
        assert!(stored.values().any(|ranks| ranks.metric == "dps" && ranks.metrics.is_empty()));
        assert!(stored.values().any(|ranks| ranks.metric == "hps" && ranks.metrics.keys().eq(["dps"])));
    });
}

#[test]
fn dungeons_keep_score_and_key_level() {
    let world = Setup::new(17, 20).rankings(&[(25, 10)]).build();
    run_scenario(&world, async {
        world.queue_all().await;
        world.start().run_until_idle().await;
        let stored = ranks(&world, (25, 10)).await;
        assert_eq!(stored, truth(&world, (25, 10), &RankQuery::default()));
        let runs = stored.values().flat_map(|ranks| ranks.encounters.values());
        assert!(
            runs.clone().count() > 20 && runs.into_iter().all(|run| run.score.is_some() && run.key_level.is_some())
        );
    });
}
