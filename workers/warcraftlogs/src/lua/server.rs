//! The players of one server, held until the last one has come, then written as one sorted string.

use std::cmp::Reverse;
use std::ops::Range;

use jiff::Timestamp;

use super::dictionary::{Dictionaries, Head};
use super::digest;
use super::format::{
    BITS_FOLLOW, BITS_PER_DIGIT, MAX_KILLS, cell_width, day_number, pack_cell, put_count, put_digits, tenths_plus_one,
};
use super::report::Refused;
use crate::model::{Player, PlayerId, RaidId, RaidRanks, Server};

/// Players in flat arrays, about 300 bytes each: the largest server has tens of thousands.
pub(super) struct StagedServer {
    pub(super) server: Server,
    server_digest: u64,
    players: Vec<StagedPlayer>,
    sections: Vec<StagedSection>,
    cells: Vec<StagedCell>,
    specs: Vec<u16>,
}

struct StagedPlayer {
    name: Box<str>,
    id: PlayerId,
    updated_at: Timestamp,
    digest: u64,
    class_id: u32,
    day: u32,
    sections: Range<usize>,
    specs: Range<usize>,
}

struct StagedSection {
    raid: RaidId,
    head: u16,
    best: u16,
    median: u16,
    cells: Range<usize>,
}

#[derive(Clone, Copy)]
struct StagedCell {
    encounter: u16,
    tenths: u16,
    kills: u16,
    /// Its place among the player's specs.
    spec: u16,
}

/// What one server comes to.
pub(super) struct EncodedServer {
    pub(super) payload: Vec<u8>,
    /// One per player, in the order of the payload.
    pub(super) digests: Vec<u64>,
    pub(super) newest: Option<Timestamp>,
    /// Players whose name another one of this server bears.
    pub(super) refused: Vec<Refused>,
}

impl StagedServer {
    pub(super) fn new(server: Server) -> StagedServer {
        StagedServer {
            server_digest: digest::server(&server),
            server,
            players: Vec::new(),
            sections: Vec::new(),
            cells: Vec::new(),
            specs: Vec::new(),
        }
    }

    /// Takes a player that `refuse::check` let through. An error is the reason to refuse it after all.
    pub(super) fn stage(&mut self, player: &Player, dictionaries: &mut Dictionaries) -> Result<(), String> {
        let (sections, cells, specs) = (self.sections.len(), self.cells.len(), self.specs.len());
        let staged = self.stage_raids(player, dictionaries);
        let day = day_number(player.updated_at).ok_or("updatedAt is out of range");
        let (raids_digest, day) = match (staged, day) {
            (Ok(raids_digest), Ok(day)) => (raids_digest, day),
            (staged, day) => {
                self.sections.truncate(sections);
                self.cells.truncate(cells);
                self.specs.truncate(specs);
                return Err(staged.err().or(day.err()).unwrap_or_default().to_owned());
            }
        };
        let head_digest = digest::player(self.server_digest, player.name.as_bytes(), player.class_id, day);
        self.players.push(StagedPlayer {
            name: player.name.as_str().into(),
            id: player.id,
            updated_at: player.updated_at,
            digest: digest::mix(head_digest, raids_digest),
            class_id: player.class_id,
            day,
            sections: sections..self.sections.len(),
            specs: specs..self.specs.len(),
        });
        Ok(())
    }

    /// Stages all raids and returns their digest.
    fn stage_raids(&mut self, player: &Player, dictionaries: &mut Dictionaries) -> Result<u64, &'static str> {
        let first_spec = self.specs.len();
        let mut total = 0;
        for (raid, difficulties) in &player.raids {
            for (difficulty, ranks) in difficulties {
                let head = Head { raid: *raid, difficulty: *difficulty, metric: ranks.metric.clone() };
                let head = dictionaries.heads.stage(&head).ok_or("too many raids, difficulties and metrics")?;
                let first_cell = self.cells.len();
                let cells_digest = self.stage_cells(*raid, ranks, first_spec, dictionaries)?;
                let best = tenths_plus_one(ranks.best).ok_or("the best average is out of range")?;
                let median = tenths_plus_one(ranks.median).ok_or("the median average is out of range")?;
                let metric = ranks.metric.as_bytes();
                total = digest::mix(total, digest::section(*raid, *difficulty, metric, best, median, cells_digest));
                let cells = first_cell..self.cells.len();
                self.sections.push(StagedSection { raid: *raid, head, best, median, cells });
            }
        }
        Ok(total)
    }

    fn stage_cells(
        &mut self,
        raid: RaidId,
        ranks: &RaidRanks,
        first_spec: usize,
        dictionaries: &mut Dictionaries,
    ) -> Result<u64, &'static str> {
        let mut total = 0u64;
        for (encounter, rank) in &ranks.encounters {
            let tenths = tenths_plus_one(rank.best).ok_or("a percentile is out of range")?;
            let kills = rank.kills.min(MAX_KILLS);
            let spec = self.stage_spec(&rank.spec, first_spec, dictionaries)?;
            let staged = dictionaries.encounters(raid).stage(encounter).ok_or("too many encounters in one raid")?;
            let spec_digest = digest::text(rank.spec.as_bytes());
            total = total.wrapping_add(digest::cell(*encounter, tenths, kills, spec_digest));
            self.cells.push(StagedCell { encounter: staged, tenths, kills: kills as u16, spec });
        }
        Ok(total)
    }

    /// The spec's place among the player's, who plays few: comparing with those first saves most look-ups.
    fn stage_spec(
        &mut self,
        spec: &str,
        first_spec: usize,
        dictionaries: &mut Dictionaries,
    ) -> Result<u16, &'static str> {
        let own = &self.specs[first_spec..];
        if let Some(place) = own.iter().position(|staged| dictionaries.specs.entry(*staged) == spec) {
            return Ok(place as u16);
        }
        let place = own.len() as u16;
        self.specs.push(dictionaries.specs.stage(spec).ok_or("too many different specs in the region")?);
        Ok(place)
    }

    /// Sorts and writes everything. Of two players with one name the newer stays, then the one with the higher id.
    pub(super) fn encode(mut self, region: &str, dictionaries: &mut Dictionaries) -> EncodedServer {
        let mut players = std::mem::take(&mut self.players);
        players.sort_unstable_by(|left, right| {
            let key = |player: &StagedPlayer| Reverse((player.updated_at, player.id));
            left.name.as_bytes().cmp(right.name.as_bytes()).then_with(|| key(left).cmp(&key(right)))
        });
        let mut encoded = EncodedServer { payload: Vec::new(), digests: Vec::new(), newest: None, refused: Vec::new() };
        encoded.payload.reserve(24 * players.len() + 4 * self.cells.len());
        let mut written: Option<&StagedPlayer> = None;
        for player in &players {
            if let Some(kept) = written.filter(|written| written.name == player.name) {
                encoded.refused.push(self.same_name(region, player, kept));
                continue;
            }
            self.encode_player(player, dictionaries, &mut encoded.payload);
            encoded.digests.push(player.digest);
            encoded.newest = encoded.newest.max(Some(player.updated_at));
            written = Some(player);
        }
        encoded
    }

    fn same_name(&self, region: &str, player: &StagedPlayer, kept: &StagedPlayer) -> Refused {
        Refused {
            id: player.id,
            name: player.name.to_string(),
            server: self.server.name.clone(),
            region: region.to_owned(),
            reason: format!("player {} bears the same name and was updated at {}", kept.id, kept.updated_at),
        }
    }

    fn encode_player(&self, player: &StagedPlayer, dictionaries: &mut Dictionaries, target: &mut Vec<u8>) {
        target.extend_from_slice(player.name.as_bytes());
        put_digits(target, player.class_id, 1);
        put_digits(target, player.day, 2);
        let specs = &self.specs[player.specs.clone()];
        put_count(target, specs.len() as u32);
        specs.iter().for_each(|staged| put_count(target, dictionaries.specs.number(*staged)));
        for section in &self.sections[player.sections.clone()] {
            self.encode_section(section, specs.len(), dictionaries, target);
        }
        target.push(b'\n');
    }

    fn encode_section(
        &self,
        section: &StagedSection,
        specs: usize,
        dictionaries: &mut Dictionaries,
        target: &mut Vec<u8>,
    ) {
        put_count(target, dictionaries.heads.number(section.head));
        let encounters = dictionaries.encounters(section.raid);
        let mut cells: Vec<(usize, StagedCell)> = self.cells[section.cells.clone()]
            .iter()
            .map(|cell| (encounters.number(cell.encounter) as usize, *cell))
            .collect();
        cells.sort_unstable_by_key(|(place, _)| *place);
        put_killed(target, &cells);
        put_digits(target, section.best.into(), 2);
        put_digits(target, section.median.into(), 2);
        for (_, cell) in &cells {
            let number = pack_cell(cell.tenths.into(), cell.kills.into(), cell.spec.into(), specs as u32);
            put_digits(target, number, cell_width(specs));
        }
    }
}

/// Which encounters have a cell: a length when they are the first of the raid, else bits.
fn put_killed(target: &mut Vec<u8>, cells: &[(usize, StagedCell)]) {
    let length = cells.last().map_or(0, |(place, _)| place + 1);
    if length == cells.len() && length < BITS_FOLLOW as usize {
        put_digits(target, length as u32, 1);
        return;
    }
    let mut bits = vec![0u32; length.div_ceil(BITS_PER_DIGIT)];
    cells.iter().for_each(|(place, _)| bits[place / BITS_PER_DIGIT] |= 1 << (place % BITS_PER_DIGIT));
    put_digits(target, BITS_FOLLOW + bits.len() as u32, 1);
    bits.iter().for_each(|digit| put_digits(target, *digit, 1));
}
