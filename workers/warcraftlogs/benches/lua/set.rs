//! The data set for measuring databases: 200,000 players on 246 servers with sizes distributed as in a real region (the
//! largest 22,702, the median 159), three raids of 12, 10 and 8 bosses in three difficulties, 24 boss cells per player.
//!
//! Names are random letters, which cannot be compressed. Percentiles scatter around the player's own mean, kills around
//! the section's, and a tenth of the cells has another spec than the player's first.

use super::extras::{self, Extras};

/// Number of players.
pub(super) const PLAYERS: usize = 200_000;
const SERVERS: usize = 246;
const LARGEST: f64 = 22_702.0;
const MEDIAN: f64 = 159.0;
/// Bosses of each raid.
pub(super) const BOSSES: [usize; 3] = [12, 10, 8];
/// The share of a raid's difficulties that a player has: three of nine.
const PLAYED: f64 = 0.34;

/// A player.
pub(super) struct Player {
    pub(super) id: u64,
    pub(super) server: usize,
    pub(super) name: String,
    pub(super) class: u32,
    pub(super) day: u32,
    pub(super) sections: Vec<Section>,
}

/// One raid and difficulty.
pub(super) struct Section {
    pub(super) raid: usize,
    pub(super) difficulty: usize,
    pub(super) cells: Vec<Cell>,
}

/// One boss.
pub(super) struct Cell {
    pub(super) best: f64,
    pub(super) median: f64,
    pub(super) kills: u32,
    pub(super) spec: u32,
}

/// All players, server by server.
pub(super) fn players() -> Vec<Player> {
    let mut dice = SplitMix64(7);
    let mut players = Vec::with_capacity(PLAYERS);
    for (server, size) in sizes().into_iter().enumerate() {
        let mut names = std::collections::HashSet::new();
        while names.len() < size {
            let name = name(&mut dice);
            if names.insert(name.clone()) {
                players.push(player(players.len() as u64 + 1, server, name, &mut dice));
            }
        }
    }
    players
}

/// Sizes that decrease as a stretched exponential through the largest and the median.
fn sizes() -> Vec<usize> {
    let size = |power: f64, rank: usize| {
        let steepness = (LARGEST / MEDIAN).ln() / ((SERVERS / 2) as f64).powf(power);
        (LARGEST * (-steepness * (rank as f64).powf(power)).exp()) as usize
    };
    let total = |power: f64| (0..SERVERS).map(|rank| size(power, rank)).sum::<usize>();
    let powers = (200..900).map(|thousandths| f64::from(thousandths) / 1_000.0);
    let power = powers.min_by_key(|power| total(*power).abs_diff(PLAYERS)).unwrap_or(0.5);
    let mut sizes: Vec<usize> = (0..SERVERS).map(|rank| size(power, rank)).collect();
    sizes[1] = sizes[1] + PLAYERS - sizes.iter().sum::<usize>();
    sizes
}

/// 2 to 12 letters; every sixth name has one that is not ASCII.
fn name(dice: &mut SplitMix64) -> String {
    let length = (8.0 + 2.0 * dice.normal()).round().clamp(2.0, 12.0) as usize;
    let mut letters: Vec<char> = (0..length).map(|_| char::from(b'a' + dice.below(26) as u8)).collect();
    if dice.fraction() < 0.18 {
        letters[dice.below(length as u64) as usize] = ['é', 'à', 'ø', 'ü', 'ñ', 'ï', 'ô', 'å'][dice.below(8) as usize];
    }
    let mut letters = letters.into_iter();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

fn player(id: u64, server: usize, name: String, dice: &mut SplitMix64) -> Player {
    let class = 1 + dice.below(13) as u32;
    let specs = match class {
        11 => 4,
        12 => 2,
        _ => 3,
    };
    let (main, skill) = (dice.below(specs), 50.0 + 24.0 * dice.normal());
    let mut sections = Vec::new();
    for (raid, bosses) in BOSSES.into_iter().enumerate() {
        for difficulty in 0..3 {
            if dice.fraction() >= PLAYED {
                continue;
            }
            let killed = if dice.below(2) == 0 { bosses } else { 3 + dice.below(bosses as u64 - 3) as usize };
            let level = skill - 6.0 * difficulty as f64;
            let kills = dice.geometric(0.3);
            let cells = (0..killed)
                .map(|_| cell(level, kills, if dice.fraction() < 0.9 { main } else { dice.below(specs) }, dice));
            sections.push(Section { raid, difficulty, cells: cells.collect() });
        }
    }
    Player { id, server, name, class, day: dice.geometric(0.15), sections }
}

fn cell(level: f64, kills: u32, spec: u64, dice: &mut SplitMix64) -> Cell {
    let best = (level + 13.0 * dice.normal()).clamp(0.0, 100.0);
    let kills = (kills + dice.below(3) as u32).saturating_sub(1).clamp(1, 20);
    let median = if kills == 1 { best } else { best * (0.6 + 0.4 * dice.fraction()) };
    Cell { best, median, kills, spec: spec as u32 }
}

impl Player {
    /// The player as a document of `players`.
    pub(super) fn document(&self, extras: Extras) -> String {
        let mut dice = SplitMix64(self.id);
        let Player { id, server, name, class, day, .. } = self;
        let mut raids: Vec<String> = Vec::new();
        for raid in 0..BOSSES.len() {
            let sections = self.sections.iter().filter(|section| section.raid == raid);
            let difficulties: Vec<String> = sections.map(|section| section.document(extras, &mut dice)).collect();
            if !difficulties.is_empty() {
                raids.push(format!("\"{}\":{{{}}}", 26 + raid, difficulties.join(",")));
            }
        }
        let date = jiff::civil::date(2026, 11, 20) - jiff::Span::new().days(i64::from(*day));
        format!(
            "{{\"_id\":{id},\"name\":\"{name}\",\"classId\":{class},\"region\":\"US\",\"server\":{{\"name\":\"Server {server}\",\
             \"slug\":\"server-{server}\",\"normalizedName\":\"Server{server}\"}},\"updatedAt\":{{\"$date\":\"{date}T10:00:00Z\"}},\
             \"raids\":{{{}}}}}",
            raids.join(",")
        )
    }
}

impl Section {
    /// Its specs, in ascending order.
    pub(super) fn specs(&self) -> Vec<u32> {
        let mut specs: Vec<u32> = self.cells.iter().map(|cell| cell.spec).collect();
        specs.sort_unstable();
        specs.dedup();
        specs
    }

    fn document(&self, extras: Extras, dice: &mut SplitMix64) -> String {
        let mean = |value: fn(&Cell) -> f64| self.cells.iter().map(value).sum::<f64>() / self.cells.len() as f64;
        let stars = if extras == Extras::Present { extras::of_section(self, dice) } else { String::new() };
        let cells = self.cells.iter().enumerate().map(|(boss, cell)| {
            let more = if extras == Extras::Present { extras::of_cell(self.raid, cell, dice) } else { String::new() };
            let Cell { best, median, kills, spec } = cell;
            format!(
                "\"{}\":{{\"best\":{best},\"median\":{median},\"kills\":{kills},\"spec\":\"Spec {spec}\"{more}}}",
                2_300 + 20 * self.raid + boss
            )
        });
        format!(
            "\"{}\":{{\"metric\":\"dps\",\"best\":{},\"median\":{},{stars}\"encounters\":{{{}}}}}",
            3 + self.difficulty,
            mean(|cell| cell.best),
            mean(|cell| cell.median),
            cells.collect::<Vec<_>>().join(",")
        )
    }
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

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Approximately normal: mean 0, deviation 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.fraction()).sum::<f64>() - 6.0
    }

    /// 1 to 20; each value has `1 - end` times the probability of the one before.
    fn geometric(&mut self, end: f64) -> u32 {
        (1..20).find(|_| self.fraction() < end).unwrap_or(20)
    }
}
