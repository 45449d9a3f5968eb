//! Reads written files back and compares every player with the input, before the files get their final names.

use anyhow::{Context, Result, bail, ensure};
use rayon::prelude::*;

use super::name;
use super::read::{Block, Database};
use super::record::Record;
use super::region::WrittenRegion;
use super::server::Players;
use super::stage::{Region, Stage};
use super::trailer::Trailer;

/// Servers that are compared in parallel.
const SIDE_BY_SIDE: usize = 32;

/// A difference is a bug in the writer or the reader: the error names the player, and the files do not replace the
/// older ones.
pub(super) fn verify(stage: &Stage, region: &Region, written: &WrittenRegion) -> Result<()> {
    let paths = written.files.iter().map(|file| file.temporary().to_owned()).collect();
    let Database { trailer, mut blocks } = Database::open_files(paths)?;
    ensure!(
        trailer.players == written.players,
        "the trailer says {} players, {} were written",
        trailer.players,
        written.players
    );
    loop {
        let mut group = Vec::with_capacity(SIDE_BY_SIDE);
        while group.len() < SIDE_BY_SIDE
            && let Some(block) = blocks.next_block()?
        {
            group.push(block);
        }
        if group.is_empty() {
            break;
        }
        group.par_iter().try_for_each(|block| {
            let place = written.places.get(block.server).context("the files have more servers than were written")?;
            let players = stage.players(region, *place)?;
            compare(&players, block, &trailer, written)
        })?;
    }
    let servers = blocks.servers_read();
    ensure!(servers == written.places.len(), "{servers} of {} servers read back", written.places.len());
    Ok(())
}

fn compare(players: &Players, block: &Block, trailer: &Trailer, written: &WrittenRegion) -> Result<()> {
    let mut records = block.records();
    let mut read = Record::default();
    players.for_each(&written.numbers, |expected| {
        let same = records
            .next()
            .is_some_and(|text| read.read(text, &trailer.models, trailer.shape()).is_some() && read == *expected);
        if same {
            return Ok(());
        }
        let (name, server) = (name::shown(&expected.name), &trailer.servers[block.server].name);
        bail!(
            "region {}: {name:?} of {server:?} does not read back as written; the older files stay, please report this",
            trailer.region
        );
    })?;
    ensure!(records.next().is_none(), "{} has more players than the {} that were written", block.server, players.len());
    Ok(())
}
