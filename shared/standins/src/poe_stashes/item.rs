//! One item, in the format of its era.

use std::fmt::Write;

use super::options::Era;
use super::words::{CURRENCIES, KINDS, Kind, MODIFIERS, RARE_FIRST, RARE_LAST};
use crate::random::{Purpose, RandomSequence, mix};

/// An item. It keeps its slot in the stash and its id for some versions of the stash, and then another item may take
/// the slot.
pub(super) struct Item {
    slot: u32,
    draw: RandomSequence,
    note: RandomSequence,
    there: bool,
}

impl Item {
    /// Returns the item, if any, in `slot` of a stash after `version` edits.
    pub(super) fn in_slot(seed: u64, stash: u32, slot: u32, version: u32) -> Item {
        let place = u64::from(stash) << 32 | u64::from(slot);
        let stays = RandomSequence::of(seed, Purpose::Item, place).within(2, 8);
        let generation = (u64::from(version) + u64::from(slot)) / stays;
        let mut draw = RandomSequence::of(seed, Purpose::Item, mix(place).wrapping_add(generation));
        // A price changes more often than the item.
        let note = RandomSequence::of(seed, Purpose::Item, mix(!place).wrapping_add(u64::from(version) / 2));
        let there = draw.per_mille(500);
        Item { slot, draw, note, there }
    }

    pub(super) fn is_there(&self) -> bool {
        self.there
    }

    /// Appends the item to `json`.
    pub(super) fn write(mut self, era: Era, league: &str, json: &mut String) {
        let id = format!(
            "{:016x}{:016x}{:016x}{:016x}",
            self.draw.bits(),
            self.draw.bits(),
            self.draw.bits(),
            self.draw.bits()
        );
        let number = self.draw.below(KINDS.len() as u64);
        let kind = &KINDS[number as usize];
        let name = self.name(kind);
        let level = self.draw.within(1, 100);
        let identified = !self.draw.per_mille(30);
        let (w, h) = kind.size;
        let icon = icon(number);
        let base = kind.base;
        // Writing to a string cannot fail, here and below.
        let _ = match era {
            Era::Y2016 => {
                let markup = if name.is_empty() { "" } else { "<<set:MS>><<set:M>><<set:S>>" };
                write!(
                    json,
                    r#"{{"verified":false,"w":{w},"h":{h},"ilvl":{level},"icon":"http://web.poecdn.com/image/{icon}","league":"{league}","id":"{id}","sockets":[],"name":"{markup}{name}","typeLine":"{base}","identified":{identified},"corrupted":false,"lockedToCharacter":false"#
                )
            }
            Era::Y2022 | Era::Y2026 => write!(
                json,
                r#"{{"verified":false,"w":{w},"h":{h},"icon":"https://web.poecdn.com/gen/image/{icon}","league":"{league}","id":"{id}","name":"{name}","typeLine":"{base}","baseType":"{base}","identified":{identified},"ilvl":{level}"#
            ),
        };
        self.write_note(json);
        self.write_stack(kind, json);
        self.write_modifiers(era, json);
        self.write_frame(era, kind, json);
        let (x, y, tab) = (self.slot % 12, self.slot / 12, self.draw.within(1, 20));
        let _ = write!(json, r#","x":{x},"y":{y},"inventoryId":"Stash{tab}""#);
        json.push_str(if era == Era::Y2016 { r#","socketedItems":[]}"# } else { "}" });
    }

    fn name(&mut self, kind: &Kind) -> String {
        let first = RARE_FIRST[self.draw.below(RARE_FIRST.len() as u64) as usize];
        let last = RARE_LAST[self.draw.below(RARE_LAST.len() as u64) as usize];
        match kind.frame {
            2 => format!("{first} {last}"),
            _ => kind.unique.to_owned(),
        }
    }

    fn write_note(&mut self, json: &mut String) {
        let currency = CURRENCIES[self.note.below(CURRENCIES.len() as u64) as usize];
        let amount = self.note.within(1, 200);
        let _ = match self.note.below(10) {
            0..=3 => write!(json, r#","note":"~price {amount} {currency}""#),
            4 | 5 => write!(json, r#","note":"~b/o {amount} {currency}""#),
            6 => write!(json, r#","note":"~price {}/{amount} {currency}""#, amount % 7 + 1),
            7 => write!(json, r#","note":"~b/o {amount}.5 {currency}""#),
            8 => write!(json, r#","note":"not for sale \"yet\"""#),
            _ => Ok(()),
        };
    }

    fn write_stack(&mut self, kind: &Kind, json: &mut String) {
        let size = self.draw.within(1, 5000);
        if matches!(kind.frame, 5 | 6) {
            let _ = write!(json, r#","stackSize":{size},"maxStackSize":5000"#);
        }
    }

    fn write_modifiers(&mut self, era: Era, json: &mut String) {
        json.push_str(r#","explicitMods":["#);
        for number in 0..self.draw.within(4, 6) {
            if number > 0 {
                json.push(',');
            }
            let amount = self.draw.within(1, 120);
            let modifier = MODIFIERS[self.draw.below(MODIFIERS.len() as u64) as usize];
            let flag = self.draw.below(8);
            let _ = match (era, flag) {
                (Era::Y2016 | Era::Y2022, _) => write!(json, r#""+{amount}{modifier}""#),
                (Era::Y2026, 0) => {
                    write!(json, r#"{{"description":"+{amount}{modifier}","flags":{{"fractured":true}}}}"#)
                }
                (Era::Y2026, 1) => {
                    write!(json, r#"{{"description":"+{amount}{modifier}","flags":{{"crafted":true}}}}"#)
                }
                (Era::Y2026, _) => write!(json, r#"{{"description":"+{amount}{modifier}"}}"#),
            };
        }
        json.push(']');
    }

    fn write_frame(&mut self, era: Era, kind: &Kind, json: &mut String) {
        let Kind { frame, rarity, category, .. } = kind;
        let _ = match era {
            Era::Y2016 => write!(json, r#","frameType":{frame}"#),
            Era::Y2022 => write!(json, r#","frameType":{frame},"extended":{{"category":"{category}"}}"#),
            Era::Y2026 if self.draw.per_mille(500) => {
                write!(
                    json,
                    r#","rarity":"{rarity}","frameTypeId":"{rarity}","extended":{{"prefixes":3,"suffixes":2}}"#
                )
            }
            Era::Y2026 => {
                write!(json, r#","rarity":"{rarity}","frameType":{frame},"extended":{{"prefixes":3,"suffixes":2}}"#)
            }
        };
    }
}

/// The icon URL of a kind. It is long and the same for all its items, so that pages compress as well as real ones.
fn icon(kind: u64) -> String {
    let mut draw = RandomSequence::of(0, Purpose::Item, kind);
    let mut icon = String::with_capacity(160);
    for _ in 0..8 {
        let _ = write!(icon, "{:016x}", draw.bits());
    }
    icon.push_str("/0a1b2c3d4e/Icon.png");
    icon
}
