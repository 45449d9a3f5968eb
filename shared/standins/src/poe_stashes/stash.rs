//! A stash at one version.

use std::fmt::Write;

use super::item::Item;
use super::options::{Era, Options};
use super::words::{ACCOUNTS, LEAGUES, STASH_TYPES, TABS};
use crate::random::{Purpose, RandomSequence, mix};

/// Stash number `number` after `version` edits.
pub(super) struct Stash<'o> {
    options: &'o Options,
    number: u32,
    version: u32,
}

impl<'o> Stash<'o> {
    pub(super) fn new(options: &'o Options, number: u32, version: u32) -> Stash<'o> {
        Stash { options, number, version }
    }

    /// Returns the number of the stash with this id, if the id is well-formed.
    pub(super) fn number_of(options: &Options, id: &str) -> Option<u32> {
        let scrambled = u64::from_str_radix(id.get(..16)?, 16).ok()?;
        let number = u32::try_from(scrambled ^ mix(options.seed)).ok()?;
        (Stash::new(options, number, 0).id() == id).then_some(number)
    }

    /// The id, 64 hexadecimal digits.
    pub(super) fn id(&self) -> String {
        // The first 16 digits encode the number; the rest only has to look random.
        let first = mix(self.options.seed) ^ u64::from(self.number);
        let mut draw = self.profile();
        format!("{first:016x}{:016x}{:016x}{:016x}", draw.bits(), draw.bits(), draw.bits())
    }

    /// Appends the stash to `json` as the river lists it.
    pub(super) fn write(&self, json: &mut String) {
        let id = self.id();
        let mut draw = self.profile();
        let account = ACCOUNTS[draw.below(ACCOUNTS.len() as u64) as usize];
        let digits = draw.below(10_000);
        let tab = TABS[draw.below(TABS.len() as u64) as usize];
        let kind = STASH_TYPES[draw.below(STASH_TYPES.len() as u64) as usize];
        let league = LEAGUES[draw.below(LEAGUES.len() as u64) as usize];
        let public = self.is_public();
        // Writing to a string cannot fail.
        let _ = match self.options.era {
            Era::Y2016 => write!(
                json,
                r#"{{"accountName":"{account}{digits}","lastCharacterName":"{account}","id":"{id}","stash":"{tab}","stashType":"{kind}","items":["#
            ),
            Era::Y2022 | Era::Y2026 if !public => write!(
                json,
                r#"{{"id":"{id}","public":false,"accountName":null,"stash":null,"stashType":"{kind}","league":null,"items":["#
            ),
            Era::Y2022 => write!(
                json,
                r#"{{"id":"{id}","public":true,"accountName":"{account}{digits}","lastCharacterName":"{account}","stash":"{tab}","stashType":"{kind}","league":"{league}","items":["#
            ),
            Era::Y2026 => write!(
                json,
                r#"{{"id":"{id}","public":true,"accountName":"{account}#{digits:04}","stash":"{tab}","stashType":"{kind}","league":"{league}","items":["#
            ),
        };
        if public {
            self.write_items(league, json);
        }
        json.push(']');
        if self.options.era == Era::Y2016 {
            let _ = write!(json, r#","public":{public}"#);
        }
        json.push('}');
    }

    fn write_items(&self, league: &str, json: &mut String) {
        let mut first = true;
        let (fewest, most) = self.options.items_per_stash;
        for slot in 0..most {
            let item = Item::in_slot(self.options.seed, self.number, slot, self.version);
            if slot < fewest || item.is_there() {
                if !std::mem::take(&mut first) {
                    json.push(',');
                }
                item.write(self.options.era, league, json);
            }
        }
    }

    fn is_public(&self) -> bool {
        let subject = u64::from(self.number) << 32 | u64::from(self.version);
        !RandomSequence::of(!self.options.seed, Purpose::Stash, subject).per_mille(self.options.unlisted)
    }

    fn profile(&self) -> RandomSequence {
        RandomSequence::of(self.options.seed, Purpose::Stash, u64::from(self.number))
    }
}
