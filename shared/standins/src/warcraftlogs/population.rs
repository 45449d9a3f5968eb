//! The players. Nothing about them is stored: everything is derived from the seed and a player's number.

use std::borrow::Cow;
use std::sync::OnceLock;

use serde::Serialize;

use super::constants::{self, CLASSES};
use super::names::name;
use super::options::{Detail, Options, Shares};
use super::pages::TableFilters;
use super::player_ranks::{PlayerRanks, TrueRanks};
use super::rank_query::RankQuery;
use super::realms::{Realm, Realms};
use crate::random::{Purpose, RandomSequence, mix};

/// The smallest id, and the average distance of ids.
const FIRST_ID: u64 = 20_000_011;
const ID_STRIDE: u64 = 31;
/// The difference of a transferred character's id and its canonical one. No other id is as large.
const TRANSFERRED: u64 = 1_500_000_000;
/// The share of players who take part in each pair besides their first, in per mille.
const FURTHER_PAIR_PER_MILLE: u32 = 250;

/// The participation of a player is stored in the bits of a `u32`.
const MOST_RANKINGS: usize = 32;

/// The outcome of a query for a character's ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryOutcome {
    /// There are ranks.
    Ranked,
    /// The rankings are hidden.
    Hidden,
    /// The API does not know the id.
    Unknown,
    /// No class was ever set, which damages the whole answer.
    NeverClassed,
}

/// A character as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Character {
    /// The id on ranking pages and in `character(id)`.
    pub id: u64,
    /// The id to keep: a different one after a transfer.
    pub canonical_id: u64,
    /// Two to twelve letters, not always Latin ones.
    pub name: String,
    /// 1 to 13; 0 if never classed.
    pub class_id: u32,
    /// The level.
    pub level: u32,
    /// The character's server.
    pub realm: Realm,
    /// The outcome of a query for its ranks.
    #[serde(rename = "fate")]
    pub outcome: QueryOutcome,
}

/// The properties of a player that are cheap to derive.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) region: usize,
    pub(crate) realm: usize,
    /// 1 to 13, even for players who were never classed.
    pub(crate) class_id: u32,
    pub(crate) main_spec: usize,
    /// 0 to 999: how good the player is.
    pub(crate) skill: u32,
    pub(crate) outcome: QueryOutcome,
    pub(crate) transferred: bool,
    pub(crate) level: u32,
    /// For properties that are derived later, such as the name.
    draw: RandomSequence,
}

/// All players of one stand-in.
#[derive(Debug)]
pub struct Population {
    seed: u64,
    players: u32,
    rankings: Vec<(u32, u32)>,
    shares: Shares,
    detail: Detail,
    realms: Realms,
    /// By pair: the players who take part, in the order of the ranking. Four bytes a row, computed at the first use.
    tables: Vec<OnceLock<Vec<u32>>>,
    /// Name hashes with players, sorted; computed at the first use.
    by_name: OnceLock<Vec<(u64, u32)>>,
}

impl Population {
    pub(crate) fn new(options: &Options) -> Population {
        let mut rankings = options.rankings.clone();
        rankings.sort_unstable();
        rankings.dedup();
        rankings.truncate(MOST_RANKINGS);
        let tables = rankings.iter().map(|_| OnceLock::new()).collect();
        Population {
            seed: options.seed,
            players: options.players,
            rankings,
            shares: options.shares,
            detail: options.detail,
            realms: Realms::new(),
            tables,
            by_name: OnceLock::new(),
        }
    }

    /// Returns the ids on the ranking pages of any of `pairs` (raid, difficulty), ascending.
    pub fn discoverable(&self, pairs: &[(u32, u32)]) -> Vec<u64> {
        let wanted = self.mask_of(pairs);
        (0..self.players)
            .filter(|&player| self.participation(player) & wanted != 0)
            .map(|player| self.id(player))
            .collect()
    }

    /// Returns those of [`Population::discoverable`] whose outcome is `outcome`, ascending.
    pub fn with_outcome(&self, pairs: &[(u32, u32)], outcome: QueryOutcome) -> Vec<u64> {
        let wanted = self.mask_of(pairs);
        let players = (0..self.players).filter(|&player| self.participation(player) & wanted != 0);
        players.filter(|&player| self.profile(player).outcome == outcome).map(|player| self.id(player)).collect()
    }

    /// The pairs that exist, ascending.
    pub fn rankings(&self) -> &[(u32, u32)] {
        &self.rankings
    }

    /// Returns the pairs in which the character with `id` is ranked. Empty for an id that does not exist.
    pub fn pairs_of(&self, id: u64) -> Vec<(u32, u32)> {
        let mask = self.find(id).map_or(0, |player| self.participation(player));
        let pairs = self.rankings.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0);
        pairs.map(|(_, pair)| *pair).collect()
    }

    /// Returns the outcome of a query for the character with `id`.
    pub fn outcome(&self, id: u64) -> QueryOutcome {
        self.find(id).map_or(QueryOutcome::Unknown, |player| self.profile(player).outcome)
    }

    /// Returns the character with `id` as its id or canonical id; `None` if there is none. Includes characters that the
    /// API does not know, because ranking pages name them.
    pub fn character(&self, id: u64) -> Option<Character> {
        let player = self.find(id)?;
        let profile = self.profile(player);
        Some(Character {
            id,
            canonical_id: self.canonical_id(player, &profile),
            name: self.name(player, &profile),
            class_id: profile.shown_class_id(),
            level: profile.level,
            realm: self.realms.get(profile.realm).clone(),
            outcome: profile.outcome,
        })
    }

    /// Returns the ranks of the character with `id` in its default metric. `None` if there is no such character;
    /// without kills if it takes no part. Whether the API would show them depends on its [`QueryOutcome`].
    pub fn true_ranks(&self, id: u64, raid: u32, difficulty: u32) -> Option<TrueRanks> {
        self.true_ranks_for(id, raid, difficulty, &RankQuery::default())
    }

    /// The same, with optional arguments.
    pub fn true_ranks_for(&self, id: u64, raid: u32, difficulty: u32, rank_query: &RankQuery) -> Option<TrueRanks> {
        let player = self.find(id)?;
        let zone = constants::zone(raid)?;
        let partition = rank_query.partition.filter(|partition| *partition > 0).unwrap_or(zone.partition);
        let ranks = self.ranks(player, &self.profile(player), zone, difficulty, rank_query);
        Some(ranks.true_ranks(zone, difficulty, partition))
    }

    /// Returns the number of rows in the ranking of a pair.
    pub fn rows(&self, raid: u32, difficulty: u32) -> usize {
        self.table(raid, difficulty).len()
    }

    /// Returns the ids on a page of the ranking of a pair; pages are counted from 1. `None` after the last page.
    pub fn ranking_page(&self, raid: u32, difficulty: u32, page: u32) -> Option<Vec<u64>> {
        let rows = self.table(raid, difficulty).chunks(constants::PAGE_ROWS).nth(page.checked_sub(1)? as usize)?;
        Some(rows.iter().map(|player| self.id(*player)).collect())
    }

    pub(crate) fn ranks(
        &self,
        player: u32,
        profile: &Profile,
        zone: &'static constants::Zone,
        difficulty: u32,
        rank_query: &RankQuery,
    ) -> PlayerRanks {
        let pair = self.rankings.iter().position(|pair| *pair == (zone.id, difficulty));
        let takes_part = pair.is_some_and(|bit| self.participation(player) & (1 << bit) != 0);
        let subject = u64::from(player) << 32 | u64::from(zone.id) << 8 | u64::from(difficulty);
        let draw = RandomSequence::of(self.seed, Purpose::Ranks, subject);
        PlayerRanks::new(profile, zone, difficulty, rank_query, self.detail, takes_part.then_some(draw))
    }

    /// Returns the filtered table.
    pub(crate) fn filtered_table(&self, raid: u32, difficulty: u32, filters: TableFilters) -> Cow<'_, [u32]> {
        let (rows, all) = (self.table(raid, difficulty), TableFilters::all(difficulty));
        if filters == all {
            return Cow::Borrowed(rows);
        }
        let halves = [
            (filters.partition != all.partition).then_some(1 << 41 | u64::from(filters.partition.cast_unsigned())),
            (filters.size != all.size).then_some(1 << 42 | u64::from(filters.size)),
        ];
        let shows = |player: &u32| {
            let profile = self.profile(*player);
            let realm = self.realm(&profile);
            let spec = CLASSES[profile.class_id as usize - 1].specs[profile.main_spec];
            let halved = |salt: u64| mix(self.seed ^ mix(salt) ^ u64::from(*player)).is_multiple_of(2);
            [0, realm.id].contains(&filters.server)
                && [0, realm.region().id].contains(&filters.region)
                && filters.healers.is_none_or(|healers| healers == constants::heals(profile.class_id, spec))
                && halves.iter().flatten().all(|salt| halved(*salt))
        };
        Cow::Owned(rows.iter().copied().filter(shows).collect())
    }

    /// Returns the ids on the filtered ranking pages of a pair, ascending.
    pub fn discoverable_in(&self, raid: u32, difficulty: u32, filters: TableFilters) -> Vec<u64> {
        let rows = self.filtered_table(raid, difficulty, filters);
        let mut ids: Vec<u64> = rows.iter().map(|player| self.id(*player)).collect();
        ids.sort_unstable();
        ids
    }

    /// The realms.
    pub(crate) fn realms(&self) -> &Realms {
        &self.realms
    }

    /// Returns the players in the ranking of a pair, the best first.
    pub(crate) fn table(&self, raid: u32, difficulty: u32) -> &[u32] {
        let Some(bit) = self.rankings.iter().position(|pair| *pair == (raid, difficulty)) else { return &[] };
        self.tables[bit].get_or_init(|| {
            let mut rows: Vec<u32> =
                (0..self.players).filter(|&player| self.participation(player) & (1 << bit) != 0).collect();
            let order = mix(self.seed ^ mix(bit as u64 + 1));
            // The key includes the number, so that keys are unique and the order is deterministic.
            rows.sort_unstable_by_key(|&player| {
                (RandomSequence::of(order, Purpose::Order, player.into()).bits(), player)
            });
            rows
        })
    }

    /// Returns the player with `id` as its id or canonical id.
    pub(crate) fn find(&self, id: u64) -> Option<u32> {
        let plain = id.checked_sub(TRANSFERRED).unwrap_or(id);
        let player = u32::try_from(plain.checked_sub(FIRST_ID)? / ID_STRIDE).ok()?;
        let exists = player < self.players && self.id(player) == plain;
        (exists && (plain == id || self.profile(player).transferred)).then_some(player)
    }

    /// Returns the player called `name`, whatever the case, on the server with `slug` in the region with `region`'s
    /// slug or name.
    pub(crate) fn find_by_name(&self, name: &str, slug: &str, region: &str) -> Option<u32> {
        let index = self.by_name.get_or_init(|| {
            let hash = |player| name_hash(&self.name(player, &self.profile(player)));
            let mut index: Vec<(u64, u32)> = (0..self.players).map(|player| (hash(player), player)).collect();
            index.sort_unstable();
            index
        });
        let hash = name_hash(name);
        let first = index.partition_point(|entry| entry.0 < hash);
        let named = index[first..].iter().take_while(|entry| entry.0 == hash).map(|entry| entry.1);
        named.into_iter().find(|&player| {
            let profile = self.profile(player);
            let realm = self.realms.get(profile.realm);
            realm.slug == slug.to_lowercase()
                && realm.region().slug == region.to_lowercase()
                && self.name(player, &profile).to_lowercase() == name.to_lowercase()
        })
    }

    pub(crate) fn id(&self, player: u32) -> u64 {
        let jitter = mix(self.seed ^ mix(u64::from(player))) % ID_STRIDE;
        FIRST_ID + u64::from(player) * ID_STRIDE + jitter
    }

    pub(crate) fn canonical_id(&self, player: u32, profile: &Profile) -> u64 {
        self.id(player) + if profile.transferred { TRANSFERRED } else { 0 }
    }

    pub(crate) fn name(&self, player: u32, profile: &Profile) -> String {
        name(player, constants::REGIONS[profile.region].compact_name, &mut profile.draw.clone())
    }

    pub(crate) fn realm(&self, profile: &Profile) -> &Realm {
        self.realms.get(profile.realm)
    }

    pub(crate) fn profile(&self, player: u32) -> Profile {
        let mut draw = RandomSequence::of(self.seed, Purpose::Profile, player.into());
        let outcome = self.drawn_outcome(draw.below(1000) as u32);
        let transferred = draw.per_mille(self.shares.transferred);
        let (region, realm) = self.realms.draw(&mut draw);
        let class_id = draw.within(1, CLASSES.len() as u64) as u32;
        let specs = CLASSES[class_id as usize - 1].specs;
        let main_spec = draw.below(specs.len() as u64) as usize;
        let skill = draw.below(1000) as u32;
        let level = if draw.per_mille(900) { 60 } else { draw.within(61, 70) as u32 };
        Profile { region, realm, class_id, main_spec, skill, outcome, transferred, level, draw }
    }

    fn drawn_outcome(&self, drawn: u32) -> QueryOutcome {
        let Shares { hidden, unknown, never_classed, .. } = self.shares;
        match drawn {
            drawn if drawn < hidden => QueryOutcome::Hidden,
            drawn if drawn < hidden + unknown => QueryOutcome::Unknown,
            drawn if drawn < hidden + unknown + never_classed => QueryOutcome::NeverClassed,
            _ => QueryOutcome::Ranked,
        }
    }

    /// Returns a bit for each pair, in the order of the options.
    fn participation(&self, player: u32) -> u32 {
        let pairs = self.rankings.len() as u32;
        if pairs == 0 {
            return 0;
        }
        // Independent of the profile, so that a scan over all players draws few values.
        let mut draw = RandomSequence::of(self.seed, Purpose::Order, u64::from(player) | 1 << 40);
        let mut mask = 1u32 << draw.below(pairs.into());
        for bit in 0..pairs {
            mask |= u32::from(draw.per_mille(FURTHER_PAIR_PER_MILLE)) << bit;
        }
        mask
    }

    fn mask_of(&self, pairs: &[(u32, u32)]) -> u32 {
        let wanted = self.rankings.iter().enumerate().filter(|(_, pair)| pairs.contains(pair));
        wanted.fold(0, |mask, (bit, _)| mask | 1 << bit)
    }
}

impl Profile {
    /// The class id that the API shows: 0 if never classed.
    pub(crate) fn shown_class_id(&self) -> u32 {
        if self.outcome == QueryOutcome::NeverClassed { 0 } else { self.class_id }
    }
}

fn name_hash(name: &str) -> u64 {
    name.to_lowercase().bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)))
}
