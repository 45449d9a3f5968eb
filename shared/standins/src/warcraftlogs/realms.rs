//! Game servers: their names on the site, and the uneven distribution of players.

use serde::Serialize;

use super::constants::{REGIONS, Region};
use crate::random::{RandomSequence, sums};

/// Name and slug, the largest server of a region first.
type Names = &'static [(&'static str, &'static str)];

const US: Names = &[
    ("Illidan", "illidan"),
    ("Area 52", "area-52"),
    ("Stormrage", "stormrage"),
    ("Tichondrius", "tichondrius"),
    ("Mal'Ganis", "malganis"),
    ("Zul'jin", "zuljin"),
    ("Sargeras", "sargeras"),
    ("Thrall", "thrall"),
    ("Bleeding Hollow", "bleeding-hollow"),
    ("Kel'Thuzad", "kelthuzad"),
    ("Proudmoore", "proudmoore"),
    ("Dalaran", "dalaran"),
    ("Moon Guard", "moon-guard"),
    ("Frostmourne", "frostmourne"),
    ("Barthilas", "barthilas"),
    ("Emerald Dream", "emerald-dream"),
    ("Turalyon", "turalyon"),
    ("Hyjal", "hyjal"),
    ("Azralon", "azralon"),
    ("Ragnaros", "ragnaros"),
];

const EU: Names = &[
    ("Tarren Mill", "tarren-mill"),
    ("Kazzak", "kazzak"),
    ("Draenor", "draenor"),
    ("Twisting Nether", "twisting-nether"),
    ("Silvermoon", "silvermoon"),
    ("Stormscale", "stormscale"),
    ("Blackrock", "blackrock"),
    ("Ravencrest", "ravencrest"),
    ("Argent Dawn", "argent-dawn"),
    ("Hyjal", "hyjal"),
    ("Гордунни", "gordunni"),
    ("Ysondre", "ysondre"),
    ("Blackhand", "blackhand"),
    ("Eredar", "eredar"),
    ("Ревущий фьорд", "howling-fjord"),
    ("Antonidas", "antonidas"),
    ("Outland", "outland"),
    ("Sanguino", "sanguino"),
    ("Pozzo dell'Eternità", "pozzo-delleternita"),
    ("Свежеватель Душ", "soulflayer"),
    ("Dalaran", "dalaran"),
    ("Azjol-Nerub", "azjolnerub"),
    ("Quel'Thalas", "quelthalas"),
];

const KR: Names = &[
    ("아즈샤라", "azshara"),
    ("하이잘", "hyjal"),
    ("줄진", "zuljin"),
    ("굴단", "guldan"),
    ("불타는 군단", "burning-legion"),
];

const TW: Names = &[
    ("暗影之月", "shadowmoon"),
    ("聖光之願", "lights-hope"),
    ("血之谷", "bleeding-hollow"),
    ("阿薩斯", "arthas"),
    ("世界之樹", "world-tree"),
    ("憤怒使者", "wrathbringer"),
];

const CN: Names = &[
    ("燃烧之刃", "burning-blade"),
    ("死亡之翼", "deathwing"),
    ("白银之手", "silver-hand"),
    ("安苏", "ansu"),
    ("罗宁", "rhonin"),
    ("影之哀伤", "shadowmourne"),
    ("格瑞姆巴托", "grim-batol"),
];

/// By region, as in [`REGIONS`].
const NAMES: [Names; 5] = [US, EU, KR, TW, CN];

/// A game server in the spellings of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Realm {
    /// The id of the server.
    pub id: u32,
    /// The localised name on the site: `Tarren Mill`.
    pub name: &'static str,
    /// The name in URLs: `tarren-mill`.
    pub slug: &'static str,
    /// Without spaces: `TarrenMill`.
    pub normalized_name: String,
    /// `US`, `EU`, `KR`, `TW` or `CN`.
    pub region: &'static str,
    #[serde(skip)]
    region_index: usize,
}

impl Realm {
    pub(crate) fn region(&self) -> &'static Region {
        &REGIONS[self.region_index]
    }
}

/// All servers, and the weights by which players are distributed over them.
#[derive(Debug)]
pub(crate) struct Realms {
    realms: Vec<Realm>,
    regions: Vec<u32>,
    /// By region: its first server, and the cumulative weights of all of them.
    weights: Vec<(usize, Vec<u32>)>,
}

impl Realms {
    pub(crate) fn new() -> Realms {
        let mut realms = Vec::new();
        let mut weights = Vec::new();
        for (region_index, names) in NAMES.iter().enumerate() {
            weights.push((realms.len(), sums((1..).take(names.len()).map(|place| 60_000 / place))));
            for (name, slug) in *names {
                realms.push(Realm {
                    id: realms.len() as u32 + 1,
                    name,
                    slug,
                    normalized_name: name.replace(' ', ""),
                    region: REGIONS[region_index].compact_name,
                    region_index,
                });
            }
        }
        Realms { realms, regions: sums(REGIONS.iter().map(|region| region.weight)), weights }
    }

    /// Returns the index of a region, and of a server there.
    pub(crate) fn draw(&self, draw: &mut RandomSequence) -> (usize, usize) {
        let region = draw.weighted(&self.regions);
        let (first, weights) = &self.weights[region];
        (region, first + draw.weighted(weights))
    }

    /// Returns the server with this id.
    pub(crate) fn by_id(&self, id: i64) -> Option<&Realm> {
        self.realms.iter().find(|realm| i64::from(realm.id) == id)
    }

    /// Returns the server with this slug in the region with this slug or name.
    pub(crate) fn by_slug(&self, slug: &str, region: &str) -> Option<&Realm> {
        let is_it = |realm: &&Realm| realm.slug == slug && realm.region().slug == region.to_lowercase();
        self.realms.iter().find(is_it)
    }

    pub(crate) fn get(&self, index: usize) -> &Realm {
        &self.realms[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_sixty_servers_with_slugs_that_fit_a_url() {
        let realms = Realms::new();
        assert!((55..70).contains(&realms.realms.len()));
        for realm in &realms.realms {
            let fits =
                |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
            assert!(realm.slug.chars().all(fits), "{}", realm.slug);
            assert!(!realm.normalized_name.contains(' '));
        }
    }
}
