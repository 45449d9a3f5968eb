//! The players. Nothing about them is stored: everything is derived from the seed and a player's number.

use std::borrow::Cow;
use std::sync::OnceLock;

use serde::Serialize;

use super::asking::Asking;
use super::facts::{self, CLASSES};
use super::names::name;
use super::options::{Detail, Options, Shares};
use super::pages::Narrowed;
use super::realms::{Realm, Realms};
use super::standing::{Standing, TrueRanks};
use crate::draw::{Draw, Stream, mix};

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
pub enum Fate {
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
    pub fate: Fate,
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
    pub(crate) fate: Fate,
    pub(crate) transferred: bool,
    pub(crate) level: u32,
    /// For properties that are derived later, such as the name.
    draw: Draw,
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

    /// Returns those of [`Population::discoverable`] with the outcome `fate`, ascending.
    pub fn with_fate(&self, pairs: &[(u32, u32)], fate: Fate) -> Vec<u64> {
        let wanted = self.mask_of(pairs);
        let players = (0..self.players).filter(|&player| self.participation(player) & wanted != 0);
        players.filter(|&player| self.profile(player).fate == fate).map(|player| self.id(player)).collect()
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
    pub fn fate(&self, id: u64) -> Fate {
        self.find(id).map_or(Fate::Unknown, |player| self.profile(player).fate)
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
            fate: profile.fate,
        })
    }

    /// Returns the ranks of the character with `id` in its default metric. `None` if there is no such character;
    /// without kills if it takes no part. Whether the API would show them depends on its [`Fate`].
    pub fn true_ranks(&self, id: u64, raid: u32, difficulty: u32) -> Option<TrueRanks> {
        self.true_ranks_asked(id, raid, difficulty, &Asking::default())
    }

    /// The same, with optional arguments.
    pub fn true_ranks_asked(&self, id: u64, raid: u32, difficulty: u32, asking: &Asking) -> Option<TrueRanks> {
        let player = self.find(id)?;
        let zone = facts::zone(raid)?;
        let partition = asking.partition.filter(|partition| *partition > 0).unwrap_or(zone.partition);
        let standing = self.standing(player, &self.profile(player), zone, difficulty, asking);
        Some(standing.true_ranks(zone, difficulty, partition))
    }

    /// Returns the number of rows in the ranking of a pair.
    pub fn rows(&self, raid: u32, difficulty: u32) -> usize {
        self.table(raid, difficulty).len()
    }

    /// Returns the ids on a page of the ranking of a pair; pages are counted from 1. `None` after the last page.
    pub fn ranking_page(&self, raid: u32, difficulty: u32, page: u32) -> Option<Vec<u64>> {
        let rows = self.table(raid, difficulty).chunks(facts::PAGE_ROWS).nth(page.checked_sub(1)? as usize)?;
        Some(rows.iter().map(|player| self.id(*player)).collect())
    }

    pub(crate) fn standing(
        &self,
        player: u32,
        profile: &Profile,
        zone: &'static facts::Zone,
        difficulty: u32,
        asking: &Asking,
    ) -> Standing {
        let pair = self.rankings.iter().position(|pair| *pair == (zone.id, difficulty));
        let takes_part = pair.is_some_and(|bit| self.participation(player) & (1 << bit) != 0);
        let subject = u64::from(player) << 32 | u64::from(zone.id) << 8 | u64::from(difficulty);
        let draw = Draw::of(self.seed, Stream::Standing, subject);
        Standing::new(profile, zone, difficulty, asking, self.detail, takes_part.then_some(draw))
    }

    /// Returns the filtered table.
    pub(crate) fn narrowed_table(&self, raid: u32, difficulty: u32, narrowed: Narrowed) -> Cow<'_, [u32]> {
        let (rows, all) = (self.table(raid, difficulty), Narrowed::all(difficulty));
        if narrowed == all {
            return Cow::Borrowed(rows);
        }
        let halves = [
            (narrowed.partition != all.partition).then_some(1 << 41 | u64::from(narrowed.partition.cast_unsigned())),
            (narrowed.size != all.size).then_some(1 << 42 | u64::from(narrowed.size)),
        ];
        let shows = |player: &u32| {
            let profile = self.profile(*player);
            let realm = self.realm(&profile);
            let spec = CLASSES[profile.class_id as usize - 1].specs[profile.main_spec];
            let halved = |salt: u64| mix(self.seed ^ mix(salt) ^ u64::from(*player)).is_multiple_of(2);
            [0, realm.id].contains(&narrowed.server)
                && [0, realm.region().id].contains(&narrowed.region)
                && narrowed.healers.is_none_or(|healers| healers == facts::heals(profile.class_id, spec))
                && halves.iter().flatten().all(|salt| halved(*salt))
        };
        Cow::Owned(rows.iter().copied().filter(shows).collect())
    }

    /// Returns the ids on the filtered ranking pages of a pair, ascending.
    pub fn discoverable_in(&self, raid: u32, difficulty: u32, narrowed: Narrowed) -> Vec<u64> {
        let rows = self.narrowed_table(raid, difficulty, narrowed);
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
            rows.sort_unstable_by_key(|&player| (Draw::of(order, Stream::Order, player.into()).bits(), player));
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
        name(player, facts::REGIONS[profile.region].compact_name, &mut profile.draw.clone())
    }

    pub(crate) fn realm(&self, profile: &Profile) -> &Realm {
        self.realms.get(profile.realm)
    }

    pub(crate) fn profile(&self, player: u32) -> Profile {
        let mut draw = Draw::of(self.seed, Stream::Profile, player.into());
        let fate = self.fate_of(draw.below(1000) as u32);
        let transferred = draw.per_mille(self.shares.transferred);
        let (region, realm) = self.realms.draw(&mut draw);
        let class_id = draw.within(1, CLASSES.len() as u64) as u32;
        let specs = CLASSES[class_id as usize - 1].specs;
        let main_spec = draw.below(specs.len() as u64) as usize;
        let skill = draw.below(1000) as u32;
        let level = if draw.per_mille(900) { 60 } else { draw.within(61, 70) as u32 };
        Profile { region, realm, class_id, main_spec, skill, fate, transferred, level, draw }
    }

    fn fate_of(&self, drawn: u32) -> Fate {
        let Shares { hidden, unknown, never_classed, .. } = self.shares;
        match drawn {
            drawn if drawn < hidden => Fate::Hidden,
            drawn if drawn < hidden + unknown => Fate::Unknown,
            drawn if drawn < hidden + unknown + never_classed => Fate::NeverClassed,
            _ => Fate::Ranked,
        }
    }

    /// Returns a bit for each pair, in the order of the options.
    fn participation(&self, player: u32) -> u32 {
        let pairs = self.rankings.len() as u32;
        if pairs == 0 {
            return 0;
        }
        // Independent of the profile, so that a scan over all players draws few values.
        let mut draw = Draw::of(self.seed, Stream::Order, u64::from(player) | 1 << 40);
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
        if self.fate == Fate::NeverClassed { 0 } else { self.class_id }
    }
}

fn name_hash(name: &str) -> u64 {
    name.to_lowercase().bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)))
}
