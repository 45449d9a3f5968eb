//! What a response means for each character of a batch, and for each raid and difficulty of a character.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::character::Character;
use super::document::{CharacterRequest, character_alias, unit_alias};
use super::rankings::Rankings;
use crate::model::{Difficulty, Player, RaidId, RaidRanks, Unit};
use crate::store::DropReason;

/// The outcome of one character of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum CharacterOutcome {
    /// Some or all ranks came.
    Ranked(Box<RankedCharacter>),
    /// There will never be ranks.
    Dropped(DropReason),
    /// Nothing came this time, and why.
    Failed(String),
    /// The response is spoiled by a character that was never classed, and does not say by which of several: request
    /// this one alone.
    Unclear,
}

/// A character with some or all of its ranks.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedCharacter {
    /// The character, with the ranks that came.
    pub player: Player,
    /// The raids and difficulties that the upstream refuses, with its reasons.
    pub refused: Vec<(Unit, String)>,
    /// Those that did not come, and why.
    pub missing: Vec<(Unit, String)>,
}

impl CharacterOutcome {
    /// The outcomes if it is only known that some character was never classed.
    pub(super) fn never_classed_among(batch: &[CharacterRequest]) -> Vec<CharacterOutcome> {
        match batch {
            [_] => vec![CharacterOutcome::Dropped(DropReason::NeverClassed)],
            _ => vec![CharacterOutcome::Unclear; batch.len()],
        }
    }
}

/// The `errors` of a response.
#[derive(Debug)]
pub(super) struct Errors(Vec<GraphqlError>);

#[derive(Debug)]
struct GraphqlError {
    message: String,
    path: Vec<String>,
}

impl Errors {
    /// Reads the errors, whatever their shape.
    pub(super) fn read(errors: &Value) -> Errors {
        let error = |error: &Value| GraphqlError {
            message: error["message"].as_str().unwrap_or("an error without a message").to_owned(),
            path: error["path"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        };
        Errors(errors.as_array().into_iter().flatten().map(error).collect())
    }

    /// The first error, in words.
    pub(super) fn first(&self) -> Option<String> {
        self.0.first().map(GraphqlError::to_text)
    }

    fn find(&self, matches: impl Fn(&[String]) -> bool) -> Option<String> {
        self.0.iter().find(|error| matches(&error.path)).map(GraphqlError::to_text)
    }

    /// Finds an error whose path names none of `aliases`: it may be about any of them.
    fn unattributed(&self, aliases: &[String]) -> Option<String> {
        self.find(|path| !path.iter().any(|step| aliases.iter().any(|unit| is_of_unit(step, unit))))
    }

    /// Finds an error about the character, or about one of its raids and difficulties.
    fn within(&self, alias: &str) -> Option<String> {
        self.find(|path| path.iter().any(|step| step == alias))
    }

    /// An error about the character as a whole.
    fn of_character(&self, alias: &str, units: &[Unit]) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let aliases: Vec<String> = units.iter().copied().map(unit_alias).collect();
        self.find(|path| {
            path.iter().any(|step| step == alias)
                && !path.iter().any(|step| aliases.iter().any(|unit| is_of_unit(step, unit)))
        })
    }

    /// An error about one raid and difficulty of the character.
    fn of_unit(&self, alias: &str, unit: Unit) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let unit = unit_alias(unit);
        self.find(|path| path.windows(2).any(|steps| steps[0] == alias && is_of_unit(&steps[1], &unit)))
    }
}

/// Whether a step of a path is the alias of the raid and difficulty, or of a further metric of it.
fn is_of_unit(step: &str, unit: &str) -> bool {
    step.strip_prefix(unit).is_some_and(|rest| rest.is_empty() || rest.starts_with('m'))
}

impl GraphqlError {
    fn to_text(&self) -> String {
        format!("the upstream says: {}", self.message)
    }
}

/// A response, decoded as far as its characters.
pub(super) struct ParsedResponse {
    /// Characters with their aliases, of which there are few.
    pub(super) characters: Vec<(String, serde_json::Result<Option<Character>>)>,
    pub(super) errors: Errors,
    /// Whether a text before the response says that some character was never classed.
    pub(super) has_never_classed_text: bool,
    pub(super) now: Timestamp,
}

impl ParsedResponse {
    /// The outcome of each character of `batch`.
    pub(super) fn outcomes(mut self, batch: &[CharacterRequest]) -> Vec<CharacterOutcome> {
        let aliases: Vec<String> =
            batch.iter().enumerate().map(|(place, asked)| character_alias(place, &asked.player_ref)).collect();
        let unattributed = self.errors.unattributed(&aliases);
        let outcomes = aliases.iter().zip(batch).map(|(alias, asked)| {
            let character = self.take(alias);
            self.outcome(alias, asked, character, unattributed.as_deref())
        });
        let mut outcomes: Vec<CharacterOutcome> = outcomes.collect();
        if self.has_never_classed_text {
            resolve_never_classed(&mut outcomes);
        }
        outcomes
    }

    /// Takes out the character with this alias. If there are several, the last one counts, as for any JSON object.
    fn take(&mut self, alias: &str) -> Option<serde_json::Result<Option<Character>>> {
        let place = self.characters.iter().rposition(|(known, _)| known == alias)?;
        Some(self.characters.remove(place).1)
    }

    /// The outcome of one character. A null means that there is no such character, unless an error may have caused the
    /// null.
    fn outcome(
        &self,
        alias: &str,
        asked: &CharacterRequest,
        character: Option<serde_json::Result<Option<Character>>>,
        unattributed: Option<&str>,
    ) -> CharacterOutcome {
        if let Some(error) = self.errors.of_character(alias, &asked.units) {
            return CharacterOutcome::Failed(error);
        }
        match character {
            None => {
                let why = self.errors.first().unwrap_or_else(|| "it has no data for it".to_owned());
                CharacterOutcome::Failed(format!("the response lacks {alias}: {why}"))
            }
            Some(Err(error)) => CharacterOutcome::Failed(format!("cannot read {alias}: {error}")),
            Some(Ok(Some(character))) => self.outcome_of(character, alias, asked, unattributed),
            Some(Ok(None)) => match self.errors.within(alias).as_deref().or(unattributed) {
                Some(error) => CharacterOutcome::Failed(error.to_owned()),
                None => CharacterOutcome::Dropped(DropReason::Unknown),
            },
        }
    }

    /// The outcome of a character that came: each raid and difficulty has its own.
    fn outcome_of(
        &self,
        mut character: Character,
        alias: &str,
        asked: &CharacterRequest,
        unattributed: Option<&str>,
    ) -> CharacterOutcome {
        let unclassed = character.has_no_class() && !character.has_ranks() && self.errors.within(alias).is_none();
        let mut units = SortedUnits::default();
        for unit in &asked.units {
            match self.errors.of_unit(alias, *unit) {
                Some(error) => units.missing.push((*unit, error)),
                None => {
                    let further = character.take_further(*unit);
                    units.sort_in(*unit, character.take(*unit).with_further(further), unattributed);
                }
            }
        }
        if unclassed && units.absent == asked.units.len() && unattributed.is_none() {
            return CharacterOutcome::Dropped(DropReason::NeverClassed);
        }
        if !units.hidden.is_empty() && units.raids.is_empty() {
            return CharacterOutcome::Dropped(DropReason::Hidden);
        }
        if self.has_never_classed_text && units.absent == asked.units.len() {
            return CharacterOutcome::Unclear;
        }
        if units.raids.is_empty() && units.refused.is_empty() {
            return CharacterOutcome::Failed(reasons_text(&units.missing));
        }
        units.refused.append(&mut units.hidden);
        match player(character, units.raids, self.now) {
            Ok(player) => CharacterOutcome::Ranked(Box::new(RankedCharacter {
                player,
                refused: units.refused,
                missing: units.missing,
            })),
            Err(reason) => CharacterOutcome::Failed(reason),
        }
    }
}

/// Handles the text that says that some character was never classed. If such a character is known, it explains the
/// text; if only one character can be meant, it is that one.
fn resolve_never_classed(outcomes: &mut [CharacterOutcome]) {
    let explained = outcomes.contains(&CharacterOutcome::Dropped(DropReason::NeverClassed));
    let mut unclear: Vec<&mut CharacterOutcome> =
        outcomes.iter_mut().filter(|outcome| **outcome == CharacterOutcome::Unclear).collect();
    if let ([only], false) = (unclear.as_mut_slice(), explained) {
        **only = CharacterOutcome::Dropped(DropReason::NeverClassed);
    }
}

/// The raids and difficulties of one character, sorted by outcome.
#[derive(Default)]
struct SortedUnits {
    raids: BTreeMap<RaidId, BTreeMap<Difficulty, RaidRanks>>,
    hidden: Vec<(Unit, String)>,
    refused: Vec<(Unit, String)>,
    missing: Vec<(Unit, String)>,
    /// How many of the missing ones are null without an error.
    absent: usize,
}

impl SortedUnits {
    fn sort_in(&mut self, unit: Unit, rankings: Rankings, unattributed: Option<&str>) {
        match rankings {
            Rankings::Ranks(ranks) => drop(self.raids.entry(unit.0).or_default().insert(unit.1, ranks)),
            Rankings::Hidden => self.hidden.push((unit, "the player's ranks are hidden".to_owned())),
            Rankings::Refused(message) => self.refused.push((unit, message)),
            Rankings::NotRanks(reason) => self.missing.push((unit, reason)),
            Rankings::Absent => {
                self.absent += usize::from(unattributed.is_none());
                self.missing.push((unit, unattributed.unwrap_or("the response has no ranks").to_owned()));
            }
        }
    }
}

/// Why a message comes back: `raid 26 in difficulty 4: the response has no ranks; …`.
pub(crate) fn reasons_text(missing: &[(Unit, String)]) -> String {
    let unit =
        |((raid, difficulty), reason): &(Unit, String)| format!("raid {raid} in difficulty {difficulty}: {reason}");
    missing.iter().map(unit).collect::<Vec<String>>().join("; ")
}

fn player(
    character: Character,
    raids: BTreeMap<RaidId, BTreeMap<Difficulty, RaidRanks>>,
    now: Timestamp,
) -> Result<Player, String> {
    let Character { canonical_id, class_id, name, server, .. } = character;
    let id = canonical_id.whole().ok_or("its canonicalID is not an id")?;
    let class_id = class_id.whole().and_then(|id| u32::try_from(id).ok()).ok_or("its classID is not an id")?;
    let (region, server) = server.into_parts();
    Ok(Player { id, name, class_id, region, server, updated_at: now, raids })
}
