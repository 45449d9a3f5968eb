//! Readable names for the upstream's ids. An id without a name is shown as a number, because raids are added every
//! year.

use crate::model::{Difficulty, RaidId};
use crate::raids::{self, RAIDS};

const DIFFICULTIES: [(Difficulty, &str); 6] =
    [(1, "lfr"), (2, "flex"), (3, "normal"), (4, "heroic"), (5, "mythic"), (10, "dungeon")];

/// By the upstream's class id, which is not the game's.
const CLASSES: [&str; 13] = [
    "Death Knight",
    "Druid",
    "Hunter",
    "Mage",
    "Monk",
    "Paladin",
    "Priest",
    "Rogue",
    "Shaman",
    "Warlock",
    "Warrior",
    "Demon Hunter",
    "Evoker",
];

/// The raid's name, if it is in the list.
pub fn raid_name(raid: RaidId) -> Option<&'static str> {
    raids::find(raid).map(|raid| raid.name)
}

/// `Castle Nathria (26)`, or `raid 99`.
pub fn raid(raid: RaidId) -> String {
    raid_name(raid).map_or_else(|| format!("raid {raid}"), |name| format!("{name} ({raid})"))
}

/// `heroic`, or `difficulty 7`.
pub fn difficulty(difficulty: Difficulty) -> String {
    let known = DIFFICULTIES.iter().find(|(id, _)| *id == difficulty);
    known.map_or_else(|| format!("difficulty {difficulty}"), |(_, name)| (*name).to_owned())
}

/// `Mage`, or `class 99`.
pub fn class(class_id: u32) -> String {
    let known = usize::try_from(class_id).ok().and_then(|id| CLASSES.get(id.checked_sub(1)?));
    known.map_or_else(|| format!("class {class_id}"), |name| (*name).to_owned())
}

/// The tables as Lua, for the addon.
pub(crate) fn in_lua() -> String {
    let mut text = "-- Names of the upstream's ids. Generated with the databases.\n\nlocal _, addon = ...\n\n\
                    addon.raids = {\n"
        .to_owned();
    for raids::Raid { id, name, bosses, .. } in RAIDS {
        text.push_str(&format!("  [{id}] = {{ name = \"{name}\", bosses = {bosses} }},\n"));
    }
    text.push_str("}\n\naddon.difficulties = {\n");
    for (difficulty, name) in DIFFICULTIES {
        let name = if name == "lfr" { "LFR".to_owned() } else { name[..1].to_uppercase() + &name[1..] };
        text.push_str(&format!("  [{difficulty}] = \"{name}\",\n"));
    }
    text + "}\n"
}

/// A difficulty by its name or number.
pub fn parse_difficulty(text: &str) -> Result<Difficulty, String> {
    let text = text.trim().to_ascii_lowercase();
    let known = DIFFICULTIES.iter().find(|(id, name)| text == *name || text == id.to_string());
    known.map(|(id, _)| *id).ok_or_else(|| {
        let all: Vec<String> = DIFFICULTIES.iter().map(|(id, name)| format!("{name} ({id})")).collect();
        format!("there is no such difficulty; there are {}", all.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_is_shown_by_its_id() {
        assert_eq!([raid(26), raid(99)], ["Castle Nathria (26)", "raid 99"]);
        assert_eq!([difficulty(4), difficulty(7)], ["heroic", "difficulty 7"]);
        assert_eq!([class(4), class(0), class(14)], ["Mage", "class 0", "class 14"]);
    }

    #[test]
    fn difficulties_are_read_by_name_and_by_number() {
        assert_eq!(["Mythic", " 5 ", "lfr"].map(|text| parse_difficulty(text).ok()), [Some(5), Some(5), Some(1)]);
        assert!(parse_difficulty("7").unwrap_err().contains("normal (3)"));
    }
}
