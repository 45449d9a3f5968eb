//! Every player is read back as written, rounded as the format specifies.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, prop_oneof, proptest};
use stint_warcraftlogs::lua::{Found, read_back};
use stint_warcraftlogs::model::{EncounterRank, Player, RaidRanks};

use super::players::{bare, generate, order, ranked};

/// A name, and whether the format accepts it.
fn names() -> impl Strategy<Value = (String, bool)> {
    prop_oneof![
        8 => "[A-Z][a-zß-öа-я가-힣一-龥]{0,11}".prop_map(|name| (name, true)),
        2 => "[一-龥]{1,3}[0-9A-F]{1,6}".prop_map(|name| (name, true)),
        1 => "[ -,.-~]{1,6}".prop_map(|name| (name, true)),
        1 => "[A-Za-z]{0,3}[\\x00-\\x1f\\-\\x7f-\\x{9f}][A-Za-z]{0,3}".prop_map(|name| (name, false)),
        1 => Just((String::new(), false)),
    ]
}

fn ranks() -> impl Strategy<Value = RaidRanks> {
    let percentile = || option::weighted(0.9, 0.0..=100.0);
    let rank = (percentile(), 0u32..1_000, 0u32..40).prop_map(|(best, kills, spec)| {
        let spec = if spec == 0 { String::new() } else { format!("Spec {spec}, the") };
        EncounterRank { best, median: best, kills, spec, ..EncounterRank::default() }
    });
    (
        prop_oneof![Just("dps"), Just("hps"), Just("")],
        percentile(),
        percentile(),
        btree_map(2_380u32..2_410, rank, 0..30),
    )
        .prop_map(|(metric, best, median, encounters)| RaidRanks {
            metric: metric.to_owned(),
            best,
            median,
            encounters,
            ..RaidRanks::default()
        })
}

fn players() -> impl Strategy<Value = Vec<(Player, bool)>> {
    let raids =
        btree_map(prop_oneof![Just(26u32), Just(28), 0u32..1_000_000], btree_map(0u32..12, ranks(), 0..4), 0..4);
    let place =
        (prop_oneof![Just("EU"), Just("US")], prop_oneof![Just("Tarren Mill"), Just("Азурегос"), Just("Kel'Thuzad")]);
    let player = (place, names(), 0u32..32, 1_577_836_800i64..2_340_000_000, raids).prop_map(
        |((region, server), (name, taken), class_id, second, raids)| {
            let updated_at = Timestamp::from_second(second).unwrap();
            (Player { class_id, updated_at, raids, ..bare(region, server, &name) }, taken)
        },
    );
    vec(player, 0..40).prop_map(|mut players| {
        players.iter_mut().zip(1..).for_each(|((player, _), id)| player.id = id);
        players
    })
}

/// The sort key of expected players. In the file, the players of a server are sorted by bucket.
fn key_of(found: &Found) -> (&str, &str, &str, &str, &[u8]) {
    let server = &found.server;
    (&found.region, &server.slug, &server.name, &server.normalized_name, found.name.as_bytes())
}

/// Whether there is anything to write about a player.
fn has_ranks(player: &Player) -> bool {
    let mut ranks = player.raids.values().flat_map(|raid| raid.values());
    ranks.any(|ranks| !ranks.encounters.is_empty() || ranks.best.or(ranks.median).is_some())
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    #[test]
    fn every_player_that_is_taken_reads_back(players in players()) {
        let folder = tempfile::tempdir().unwrap();
        let all: Vec<Player> = players.iter().map(|(player, _)| player.clone()).collect();
        let report = generate(folder.path(), &all);
        let mut newest = BTreeMap::new();
        let taken = players.iter().filter(|(player, taken)| *taken && has_ranks(player)).map(|(player, _)| player);
        for player in taken.clone() {
            let key = (order(player), player.name.as_bytes());
            let kept = newest.entry(key).or_insert(player);
            if (player.updated_at, player.id) > (kept.updated_at, kept.id) {
                *kept = player;
            }
        }
        let expected: Vec<Found> = newest.values().map(|player| Found::expected(player).unwrap()).collect();
        let found = report.regions.iter().flat_map(|region| read_back(&region.path));
        let mut found = found.collect::<Result<Vec<Found>, _>>().unwrap();
        found.sort_by(|left, right| key_of(left).cmp(&key_of(right)));
        assert_eq!(found, expected);
        let refused: BTreeSet<u64> = report.refused.iter().map(|refused| refused.id).collect();
        let kept: BTreeSet<u64> = newest.values().map(|player| player.id).collect();
        let missing = players.iter().filter(|(player, taken)| !kept.contains(&player.id) && (has_ranks(player) || !taken));
        assert_eq!(refused, missing.map(|(player, _)| player.id).collect());
        assert_eq!(report.left_out.without_ranks as usize + refused.len() + kept.len(), all.len());
    }
}

#[test]
fn the_same_players_give_the_same_bytes_in_whatever_order_they_come() {
    let mut players: Vec<Player> =
        (0..200).map(|seed| ranked("EU", "Aa", &super::players::name_of(seed), seed.into())).collect();
    let mut files = Vec::new();
    for _ in 0..2 {
        let folder = tempfile::tempdir().unwrap();
        let report = generate(folder.path(), &players);
        files.push(std::fs::read(&report.regions[0].path).unwrap());
        players.reverse();
    }
    assert!(files[0] == files[1]);
}

#[test]
fn the_text_of_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let mut ann = bare("EU", "Tarren Mill", "Ann");
    let rank = EncounterRank { best: Some(95.3), kills: 12, spec: "Fire".to_owned(), ..EncounterRank::default() };
    let encounters = [(2398, rank)].into();
    let ranks = RaidRanks {
        metric: "dps".to_owned(),
        best: Some(91.2),
        median: Some(80.1),
        encounters,
        ..RaidRanks::default()
    };
    ann.raids.insert(26, [(4, ranks)].into());
    let report = generate(folder.path(), &[ann]);
    let text = std::fs::read_to_string(&report.regions[0].path).unwrap();
    // The example in docs/lua-format.md.
    insta::assert_snapshot!(text);
}
