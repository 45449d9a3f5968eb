//! `characterData.character`, and the characters of other fields.

use super::Damage;
use super::execution::Execution;
use super::plan::Node;
use super::rankings;
use crate::random::{Purpose, RandomSequence};
use crate::warcraftlogs::constants::{
    self, BAD_DIFFICULTY, BAD_PARTITION, BAD_ZONE, HIDDEN, RANKINGS_COST_MICROS, Region,
};
use crate::warcraftlogs::json;
use crate::warcraftlogs::population::{Population, Profile, QueryOutcome};
use crate::warcraftlogs::rank_query::RankQuery;
use crate::warcraftlogs::realms::Realm;

/// The error of a query that names a character neither by id nor by name.
const INCOMPLETE: &str = "You must specify either an id or a name, serverSlug and serverRegion.";
const FACTIONS: [&str; 2] = ["Alliance", "Horde"];

/// A character that the API knows, with the id by which it was found.
pub(super) struct FoundCharacter {
    pub(super) player: u32,
    pub(super) id: u64,
    pub(super) profile: Profile,
}

impl<'d> Execution<'d> {
    /// `character(…)`.
    pub(super) fn character(&mut self, node: &Node<'d>) {
        let population = self.state.reports.population;
        let (name, slug, region) =
            (self.text(node, "name"), self.text(node, "serverSlug"), self.text(node, "serverRegion"));
        let found = match (self.int(node, "id"), name, slug, region) {
            (Some(id), ..) => u64::try_from(id).ok().and_then(|id| Some((population.find(id)?, id))),
            (None, Some(name), Some(slug), Some(region)) => {
                population.find_by_name(name, slug, region).map(|player| (player, population.id(player)))
            }
            _ => return self.fail(INCOMPLETE),
        };
        match found.and_then(|(player, id)| FoundCharacter::new(population, player, id)) {
            Some(found) => self.object(&node.children, |execution, field| execution.character_field(&found, field)),
            None => self.null(),
        }
    }

    /// A field of a character.
    pub(super) fn character_field(&mut self, found: &FoundCharacter, node: &Node<'d>) {
        let population = self.state.reports.population;
        let (player, profile) = (found.player, &found.profile);
        match node.definition.name {
            "id" => json::number(&mut self.out, found.id),
            "canonicalID" => json::number(&mut self.out, population.canonical_id(player, profile)),
            "name" => json::text(&mut self.out, &population.name(player, profile)),
            "classID" => json::number(&mut self.out, profile.shown_class_id().into()),
            "level" => json::number(&mut self.out, profile.level.into()),
            "guildRank" => json::number(&mut self.out, u64::from(player % 10)),
            "hidden" => self.boolean(profile.outcome == QueryOutcome::Hidden),
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

    pub(super) fn zone_rankings(&mut self, found: &FoundCharacter, node: &Node<'d>) {
        let population = self.state.reports.population;
        let latest = || population.rankings().iter().map(|(raid, _)| *raid).max().unwrap_or_default();
        let zone_id = self.int(node, "zoneID").map_or_else(latest, clamped);
        let difficulty = self.int(node, "difficulty").map_or(constants::HIGHEST_DIFFICULTY, clamped);
        self.cost_micros += self.cost(found.player, zone_id, difficulty);
        match found.profile.outcome {
            QueryOutcome::Hidden => return self.out.push_str(HIDDEN),
            QueryOutcome::NeverClassed => {
                self.damage_answer(found.player);
                return self.null();
            }
            QueryOutcome::Ranked | QueryOutcome::Unknown => {}
        }
        let Some(zone) = constants::zone(zone_id) else { return self.out.push_str(BAD_ZONE) };
        let rank_query = self.rank_query(node);
        if !zone.has(difficulty) || !rank_query.has_size(zone, difficulty) {
            return self.out.push_str(BAD_DIFFICULTY);
        }
        if !rank_query.has_partition(zone) {
            return self.out.push_str(BAD_PARTITION);
        }
        let partition = rank_query.partition.unwrap_or(zone.partition);
        let ranks = population.ranks(found.player, &found.profile, zone, difficulty, &rank_query);
        rankings::write(&mut self.out, &rankings::RankArguments { zone, difficulty, partition }, &ranks);
    }

    /// Returns the optional arguments of a query for ranks.
    fn rank_query(&self, node: &Node<'d>) -> RankQuery {
        RankQuery {
            metric: self.text(node, "metric").map(str::to_owned),
            partition: self.int(node, "partition"),
            size: self.int(node, "size"),
            by_bracket: self.is_true(node, "byBracket"),
            parses: self.text(node, "compare") == Some("Parses"),
            today: self.text(node, "timeframe") == Some("Today"),
        }
    }

    /// Returns the hidden price of one `zoneRankings`.
    pub(super) fn cost(&self, player: u32, zone: u32, difficulty: u32) -> u64 {
        let subject = u64::from(player) << 32 | u64::from(zone) << 8 | u64::from(difficulty);
        let (least, most) = RANKINGS_COST_MICROS;
        RandomSequence::of(self.state.reports.seed, Purpose::Cost, subject).within(least, most)
    }

    /// Damages the answer. The first character that was never classed determines how.
    fn damage_answer(&mut self, player: u32) {
        let forms = [Damage::TextOnly, Damage::TextThenJson, Damage::EmptyBody];
        let drawn = RandomSequence::of(self.state.reports.seed, Purpose::Row, u64::from(player) | 1 << 40).below(3);
        let form = self.state.faults.damage.unwrap_or(forms[drawn as usize]);
        self.damage.get_or_insert(form);
    }
}

impl FoundCharacter {
    /// Returns `None` if the API does not know the player.
    pub(super) fn new(population: &Population, player: u32, id: u64) -> Option<FoundCharacter> {
        let profile = population.profile(player);
        (profile.outcome != QueryOutcome::Unknown).then_some(FoundCharacter { player, id, profile })
    }
}

/// Maps a number out of range to an identifier that does not exist.
pub(super) fn clamped(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
