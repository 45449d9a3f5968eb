//! `characterData.character`, and the characters of other fields.

use super::Spoilt;
use super::execution::Execution;
use super::plan::Node;
use super::rankings;
use crate::draw::{Draw, Stream};
use crate::warcraftlogs::asking::Asking;
use crate::warcraftlogs::facts::{self, BAD_DIFFICULTY, BAD_PARTITION, BAD_ZONE, HIDDEN, RANKINGS_COST_MICROS, Region};
use crate::warcraftlogs::json;
use crate::warcraftlogs::population::{Fate, Population, Profile};
use crate::warcraftlogs::realms::Realm;

/// The error of a query that names a character neither by id nor by name.
const INCOMPLETE: &str = "You must specify either an id or a name, serverSlug and serverRegion.";
const FACTIONS: [&str; 2] = ["Alliance", "Horde"];

/// A character that the API knows, with the id by which it was found.
pub(super) struct Found {
    pub(super) player: u32,
    pub(super) id: u64,
    pub(super) profile: Profile,
}

impl<'d> Execution<'d> {
    /// `character(…)`.
    pub(super) fn character(&mut self, node: &Node<'d>) {
        let population = self.world.reports.population;
        let (name, slug, region) =
            (self.text(node, "name"), self.text(node, "serverSlug"), self.text(node, "serverRegion"));
        let found = match (self.int(node, "id"), name, slug, region) {
            (Some(id), ..) => u64::try_from(id).ok().and_then(|id| Some((population.find(id)?, id))),
            (None, Some(name), Some(slug), Some(region)) => {
                population.find_by_name(name, slug, region).map(|player| (player, population.id(player)))
            }
            _ => return self.fail(INCOMPLETE),
        };
        match found.and_then(|(player, id)| Found::new(population, player, id)) {
            Some(found) => self.object(&node.children, |execution, field| execution.character_field(&found, field)),
            None => self.null(),
        }
    }

    /// A field of a character.
    pub(super) fn character_field(&mut self, found: &Found, node: &Node<'d>) {
        let population = self.world.reports.population;
        let (player, profile) = (found.player, &found.profile);
        match node.definition.name {
            "id" => json::number(&mut self.out, found.id),
            "canonicalID" => json::number(&mut self.out, population.canonical_id(player, profile)),
            "name" => json::text(&mut self.out, &population.name(player, profile)),
            "classID" => json::number(&mut self.out, profile.shown_class_id().into()),
            "level" => json::number(&mut self.out, profile.level.into()),
            "guildRank" => json::number(&mut self.out, u64::from(player % 10)),
            "hidden" => self.boolean(profile.fate == Fate::Hidden),
            "faction" => self.object(&node.children, |execution, field| execution.faction_field(player % 2, field)),
            "server" => {
                let realm = population.realm(profile);
                self.object(&node.children, |execution, field| execution.server_field(realm, field));
            }
            "zoneRankings" => self.section(found, node),
            _ => self.null(),
        }
    }

    fn faction_field(&mut self, faction: u32, node: &Node<'d>) {
        match node.definition.name {
            "id" => json::number(&mut self.out, u64::from(faction) + 1),
            _ => json::text(&mut self.out, FACTIONS[faction as usize]),
        }
    }

    pub(super) fn server_field(&mut self, realm: &Realm, node: &Node<'d>) {
        match node.definition.name {
            "id" => json::number(&mut self.out, realm.id.into()),
            "name" => json::text(&mut self.out, realm.name),
            "normalizedName" => json::text(&mut self.out, &realm.normalized_name),
            "slug" => json::text(&mut self.out, realm.slug),
            "region" => {
                let region = realm.region();
                self.object(&node.children, |execution, field| execution.region_field(region, field));
            }
            _ => self.null(),
        }
    }

    fn region_field(&mut self, region: &Region, node: &Node<'d>) {
        match node.definition.name {
            "id" => json::number(&mut self.out, region.id.into()),
            "compactName" => json::text(&mut self.out, region.compact_name),
            "name" => json::text(&mut self.out, region.name),
            _ => json::text(&mut self.out, region.slug),
        }
    }

    pub(super) fn zone_rankings(&mut self, found: &Found, node: &Node<'d>) {
        let population = self.world.reports.population;
        let latest = || population.rankings().iter().map(|(raid, _)| *raid).max().unwrap_or_default();
        let zone_id = self.int(node, "zoneID").map_or_else(latest, clamped);
        let difficulty = self.int(node, "difficulty").map_or(facts::HIGHEST_DIFFICULTY, clamped);
        self.cost_micros += self.cost(found.player, zone_id, difficulty);
        match found.profile.fate {
            Fate::Hidden => return self.out.push_str(HIDDEN),
            Fate::NeverClassed => {
                self.spoil(found.player);
                return self.null();
            }
            Fate::Ranked | Fate::Unknown => {}
        }
        let Some(zone) = facts::zone(zone_id) else { return self.out.push_str(BAD_ZONE) };
        let asking = self.asking(node);
        if !zone.has(difficulty) || !asking.has_size(zone, difficulty) {
            return self.out.push_str(BAD_DIFFICULTY);
        }
        if !asking.has_partition(zone) {
            return self.out.push_str(BAD_PARTITION);
        }
        let partition = asking.partition.unwrap_or(zone.partition);
        let standing = population.standing(found.player, &found.profile, zone, difficulty, &asking);
        rankings::write(&mut self.out, &rankings::Asked { zone, difficulty, partition }, &standing);
    }

    /// Returns the optional arguments of a query for ranks.
    fn asking(&self, node: &Node<'d>) -> Asking {
        Asking {
            metric: self.text(node, "metric").map(str::to_owned),
            partition: self.int(node, "partition"),
            size: self.int(node, "size"),
            by_bracket: self.holds(node, "byBracket"),
            parses: self.text(node, "compare") == Some("Parses"),
            today: self.text(node, "timeframe") == Some("Today"),
        }
    }

    /// Returns the hidden price of one `zoneRankings`.
    pub(super) fn cost(&self, player: u32, zone: u32, difficulty: u32) -> u64 {
        let subject = u64::from(player) << 32 | u64::from(zone) << 8 | u64::from(difficulty);
        let (least, most) = RANKINGS_COST_MICROS;
        Draw::of(self.world.reports.seed, Stream::Cost, subject).within(least, most)
    }

    /// Damages the answer. The first character that was never classed determines how.
    fn spoil(&mut self, player: u32) {
        let forms = [Spoilt::TextOnly, Spoilt::TextFirst, Spoilt::Nothing];
        let drawn = Draw::of(self.world.reports.seed, Stream::Row, u64::from(player) | 1 << 40).below(3);
        let form = self.world.faults.spoilt.unwrap_or(forms[drawn as usize]);
        self.spoilt.get_or_insert(form);
    }
}

impl Found {
    /// Returns `None` if the API does not know the player.
    pub(super) fn new(population: &Population, player: u32, id: u64) -> Option<Found> {
        let profile = population.profile(player);
        (profile.fate != Fate::Unknown).then_some(Found { player, id, profile })
    }
}

/// Maps a number out of range to an identifier that does not exist.
pub(super) fn clamped(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
