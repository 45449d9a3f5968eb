//! The built-in list of raids, used for names, checks and `stint wcl raids`.
//!
//! Ids, names, bosses and difficulties up to 26 are those of the upstream's own list of zones (`worldData.zones`, as
//! recorded by the RPGLogs SDK). Later ones are from public clients; they are assumed to have the four difficulties
//! that every recorded raid since Highmaul has. New raids come every year, so an id that is not listed here is no
//! mistake.

use crate::model::{Difficulty, RaidId};

/// A raid, or a season of dungeons, which the upstream also counts as a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raid {
    /// The upstream's id.
    pub id: RaidId,
    /// The usual name.
    pub name: &'static str,
    /// How many bosses it has.
    pub bosses: u32,
    /// Every difficulty that it can have, in ascending order.
    pub difficulties: &'static [Difficulty],
}

/// Raid finder, normal, heroic and mythic.
const RAID: &[Difficulty] = &[1, 3, 4, 5];
/// Siege of Orgrimmar was the only raid in which both the flexible and the mythic difficulty are ranked.
const WITH_FLEX: &[Difficulty] = &[1, 2, 3, 4, 5];
/// Before mythic raids.
const WITHOUT_MYTHIC: &[Difficulty] = &[1, 3, 4];
/// A season of dungeons.
const DUNGEONS: &[Difficulty] = &[10];

/// Every listed raid, in the order of ids.
pub const RAIDS: &[Raid] = &[
    raid(3, "Challenge Modes", 8, DUNGEONS),
    raid(4, "Throne of Thunder", 13, WITHOUT_MYTHIC),
    raid(5, "Siege of Orgrimmar", 14, WITH_FLEX),
    raid(6, "Highmaul", 7, RAID),
    raid(7, "Blackrock Foundry", 10, RAID),
    raid(8, "Hellfire Citadel", 13, RAID),
    raid(9, "Mythic+ Dungeons (Legion)", 13, DUNGEONS),
    raid(10, "Emerald Nightmare", 7, RAID),
    raid(11, "The Nighthold", 10, RAID),
    raid(12, "Trial of Valor", 3, RAID),
    raid(13, "Tomb of Sargeras", 9, RAID),
    raid(17, "Antorus, The Burning Throne", 11, RAID),
    raid(19, "Uldir", 8, RAID),
    raid(20, "Mythic+ Dungeons (Battle for Azeroth)", 12, DUNGEONS),
    raid(21, "Battle of Dazar'alor", 9, RAID),
    raid(22, "Crucible of Storms", 2, RAID),
    raid(23, "The Eternal Palace", 8, RAID),
    raid(24, "Ny'alotha", 12, RAID),
    raid(25, "Mythic+ Seasons 1 - 3", 10, DUNGEONS),
    raid(26, "Castle Nathria", 10, RAID),
    raid(28, "Sanctum of Domination", 10, RAID),
    raid(29, "Sepulcher of the First Ones", 11, RAID),
    raid(31, "Vault of the Incarnates", 8, RAID),
    raid(33, "Aberrus", 9, RAID),
    raid(35, "Amirdrassil", 9, RAID),
    raid(38, "Nerub-ar Palace", 8, RAID),
    raid(40, "Blackrock Depths", 8, RAID),
    raid(42, "Liberation of Undermine", 8, RAID),
    raid(44, "Manaforge Omega", 8, RAID),
];

const fn raid(id: RaidId, name: &'static str, bosses: u32, difficulties: &'static [Difficulty]) -> Raid {
    Raid { id, name, bosses, difficulties }
}

/// Returns the raid with this id, if it is listed.
pub fn find(id: RaidId) -> Option<&'static Raid> {
    RAIDS.iter().find(|raid| raid.id == id)
}

/// Returns an error that says why the raid cannot have this difficulty. A raid that is not listed may have any.
pub fn check_difficulty(id: RaidId, difficulty: Difficulty) -> Result<(), String> {
    match find(id) {
        Some(raid) if !raid.difficulties.contains(&difficulty) => {
            let known: Vec<String> = raid.difficulties.iter().map(|known| crate::names::difficulty(*known)).collect();
            let (raid, difficulty) = (crate::names::raid(id), crate::names::difficulty(difficulty));
            Err(format!("{raid} has no {difficulty} difficulty; it has {}", known.join(", ")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_raid_has_only_its_own_difficulties() {
        assert_eq!(check_difficulty(26, 5), Ok(()));
        assert_eq!(check_difficulty(99, 2), Ok(()), "nothing is known of raid 99");
        let refused = check_difficulty(26, 10).unwrap_err();
        assert_eq!(refused, "Castle Nathria (26) has no dungeon difficulty; it has lfr, normal, heroic, mythic");
        assert!(check_difficulty(25, 5).is_err() && check_difficulty(4, 5).is_err());
    }

    #[test]
    fn the_list_is_in_the_order_of_ids() {
        assert!(RAIDS.is_sorted_by(|one, other| one.id < other.id));
    }

    #[test]
    #[expect(clippy::print_stdout, reason = "a skipped test says so")]
    fn the_list_agrees_with_what_the_upstream_listed() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/wcl/sdk-worldData-zones.json");
        let Ok(recorded) = std::fs::read_to_string(file) else {
            println!("skipped: {file} is absent");
            return;
        };
        let mut zones = Vec::new();
        let recorded = serde_json::from_str(&recorded).unwrap();
        collect_zones(&recorded, &mut zones);
        assert!(!zones.is_empty());
        for zone in zones {
            let number = |value: &serde_json::Value| u32::try_from(value.as_u64().unwrap()).unwrap();
            let raid = find(number(&zone["id"])).unwrap_or_else(|| panic!("{} is missing", zone["name"]));
            let listed = zone["difficulties"].as_array().unwrap().iter();
            let mut listed: Vec<u32> = listed.map(|difficulty| number(&difficulty["id"])).collect();
            listed.sort_unstable();
            assert_eq!(raid.difficulties, listed, "{}", raid.name);
            assert_eq!(raid.bosses as usize, zone["encounters"].as_array().unwrap().len(), "{}", raid.name);
        }
    }

    /// Every object with difficulties, at whatever depth.
    fn collect_zones<'a>(value: &'a serde_json::Value, zones: &mut Vec<&'a serde_json::Value>) {
        match value {
            serde_json::Value::Object(members) if members.contains_key("difficulties") => zones.push(value),
            serde_json::Value::Object(members) => members.values().for_each(|member| collect_zones(member, zones)),
            serde_json::Value::Array(items) => items.iter().for_each(|item| collect_zones(item, zones)),
            _ => {}
        }
    }
}
