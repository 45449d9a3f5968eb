//! Players to write, and the expected results.

use std::path::Path;

use jiff::Timestamp;
use stint_warcraftlogs::lua::{DatabaseOptions, DatabaseWriter, Found, GenerationReport};
use stint_warcraftlogs::model::{AllStars, EncounterRank, Player, RaidRanks, Server};

/// The day on which the databases of these tests are generated; it is not in the files.
pub(super) const GENERATED: &str = "2026-11-21T00:00:00Z";

/// A server with the usual three spellings of `Tarren Mill`.
pub(super) fn server(name: &str) -> Server {
    Server {
        name: name.to_owned(),
        slug: name.to_lowercase().replace(' ', "-").replace('\'', ""),
        normalized_name: name.replace(' ', ""),
    }
}

/// A player without ranks.
pub(crate) fn bare(region: &str, server_name: &str, name: &str) -> Player {
    Player {
        id: 1,
        name: name.to_owned(),
        class_id: 4,
        region: region.to_owned(),
        server: server(server_name),
        updated_at: "2026-11-20T10:00:00Z".parse().unwrap(),
        raids: Default::default(),
    }
}

/// A player with only an average.
pub(crate) fn plain(region: &str, server_name: &str, name: &str) -> Player {
    let mut player = bare(region, server_name, name);
    let ranks = RaidRanks { metric: "dps".to_owned(), best: Some(50.0), ..RaidRanks::default() };
    player.raids.insert(26, [(4, ranks)].into());
    player
}

/// A player with ranks derived from the seed: three raids, sets of bosses with gaps, several specs.
pub(crate) fn ranked(region: &str, server_name: &str, name: &str, seed: u64) -> Player {
    let mut dice = SplitMix64(seed);
    let mut player = bare(region, server_name, name);
    player.id = seed + 1;
    player.class_id = 1 + dice.below(13);
    player.updated_at = Timestamp::from_second(1_600_000_000 + i64::from(dice.below(100_000_000))).unwrap();
    let specs = ["Fire", "Frost", "Beast Mastery", "", "Restoration", "Arms", "Windwalker"];
    let width = 1 + dice.below(specs.len() as u32);
    for (raid, bosses) in [(26, 10), (28, 12), (31, 30)] {
        for difficulty in [1, 3, 4, 5, 10] {
            if dice.below(2) == 0 {
                continue;
            }
            let mut ranks =
                RaidRanks { metric: ["dps", "hps"][dice.below(2) as usize].to_owned(), ..RaidRanks::default() };
            ranks.best = dice.percentile();
            ranks.median = dice.percentile();
            let full = dice.below(2) == 0;
            for boss in 0..bosses {
                if full || dice.below(3) == 0 {
                    let (best, kills) = (dice.percentile(), 1 + dice.below(250));
                    let spec = specs[dice.below(width) as usize].to_owned();
                    ranks.encounters.insert(
                        2_000 + raid * 10 + boss,
                        EncounterRank { best, kills, spec, ..EncounterRank::default() },
                    );
                }
            }
            player.raids.entry(raid).or_default().insert(difficulty, ranks);
        }
    }
    player
}

/// Distinct names of letters, some of them not ASCII: the number written in a base of letters.
pub(crate) fn name_of(number: u32) -> String {
    let letters = ["a", "é", "o", "л", "n", "ß", "금", "s", "u", "i"];
    let digits: String = number.to_string().bytes().map(|digit| letters[usize::from(digit - b'0')]).collect();
    format!("{}{digits}", ["Ann", "Åke", "Мир", "가"][number as usize % 4])
}

/// Writes databases with everything.
pub(crate) fn generate(folder: &Path, players: &[Player]) -> GenerationReport {
    generate_with(folder, players, DatabaseOptions::default())
}

/// Writes databases with these options.
pub(crate) fn generate_with(folder: &Path, players: &[Player], options: DatabaseOptions) -> GenerationReport {
    let mut writer = DatabaseWriter::create_with(folder, options).unwrap();
    players.iter().cloned().for_each(|player| writer.push(player).unwrap());
    writer.finish(GENERATED.parse().unwrap()).unwrap()
}

/// Region, server slug, server name, normalized name.
pub(super) fn order(player: &Player) -> (&str, &str, &str, &str) {
    (&player.region, &player.server.slug, &player.server.name, &player.server.normalized_name)
}

/// One line with everything about a player, in the format of `lookup.lua`.
pub(super) fn line(found: Option<&Found>) -> String {
    let Some(found) = found else { return "nil".to_owned() };
    let midnight = found.updated_at.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second();
    let mut line = format!("{}|{midnight}", found.class_id);
    for (raid, difficulties) in &found.raids {
        for (difficulty, ranks) in difficulties {
            let (best, median) = (or_nil(ranks.best), or_nil(ranks.median));
            line += &format!("|{raid}.{difficulty}:{},{best},{median}", ranks.metric);
            ranks.all_stars.iter().for_each(|stars| line += &stars_in_line(stars));
            for (encounter, rank) in &ranks.encounters {
                line += &format!(";{encounter}={}/{}/{}", or_nil(rank.best), rank.kills, rank.spec);
                if rank.score.is_some() || rank.key_level.is_some() {
                    line += &format!("+{}/{}", or_nil(rank.score), or_nil(rank.key_level));
                }
                rank.all_stars.iter().for_each(|stars| line += &stars_in_line(stars));
            }
        }
    }
    line
}

fn or_nil<T: ToString>(value: Option<T>) -> String {
    value.map_or("nil".to_owned(), |value| value.to_string())
}

fn stars_in_line(stars: &AllStars) -> String {
    let AllStars { spec, partition, points, rank, region_rank, server_rank } = stars;
    let of = format!("{}/{}", or_nil(spec.as_ref()), or_nil(*partition));
    format!("*{of}/{points}/{}/{}/{}", or_nil(*rank), or_nil(*region_rank), or_nil(*server_rank))
}

/// A random number generator that gives the same numbers on every machine (splitmix64).
pub(super) struct SplitMix64(pub(super) u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: u32) -> u32 {
        (self.next() % u64::from(end)) as u32
    }

    fn percentile(&mut self) -> Option<f64> {
        (self.below(20) > 0).then(|| f64::from(self.below(10_001)) / 100.0)
    }
}
