//! The players of one server, in the order of the file.

use std::cmp::Reverse;

use anyhow::{Context, Result};
use jiff::Timestamp;

use super::dictionary::Numbers;
use super::entropy::coder::CoderStep;
use super::entropy::models::Models;
use super::entropy::walk::Shape;
use super::extras::Extras;
use super::format::{ZERO, put_digits};
use super::hash::{bucket, buckets};
use super::name;
use super::record::Record;
use super::report::InvalidPlayer;
use super::row;
use crate::model::Server;

/// Digits of a position in a server's string, and of the number of its buckets.
pub(super) const PLACE_DIGITS: usize = 4;

/// A server's rows, in the order of the file: by bucket, then by name.
pub(super) struct Players {
    rows: Vec<u8>,
    heads: Vec<row::RowHead>,
    buckets: usize,
    /// Pairs of players with the same name on this server.
    duplicates: Vec<(row::RowHead, row::RowHead)>,
    /// How many were left out because they were not updated for too long.
    not_seen: u64,
    /// The extras with which its rows were written.
    extras: Extras,
}

/// The encoded form of one server.
pub(super) struct EncodedServer {
    pub(super) payload: Vec<u8>,
    pub(super) players: u64,
    /// The newest day.
    pub(super) newest: u32,
    pub(super) not_seen: u64,
    pub(super) refused: Vec<InvalidPlayer>,
}

impl Players {
    /// Sorts rows, without those that were updated before the second `oldest`. Of two players with one name, the one
    /// updated later stays; if that is equal, the one with the higher id.
    pub(super) fn new(rows: Vec<u8>, oldest: i64, extras: Extras) -> Players {
        let mut heads = row::heads(&rows);
        let all = heads.len();
        heads.retain(|head| head.updated_at.cast_signed() >= oldest);
        let not_seen = (all - heads.len()) as u64;
        let name = |head: &row::RowHead| &rows[head.name.clone()];
        heads.sort_unstable_by(|left, right| {
            let newest = |head: &row::RowHead| Reverse((head.updated_at, head.id));
            name(left).cmp(name(right)).then_with(|| newest(left).cmp(&newest(right)))
        });
        let mut duplicates: Vec<(row::RowHead, row::RowHead)> = Vec::new();
        let mut kept: Vec<row::RowHead> = Vec::with_capacity(heads.len());
        for head in heads {
            match kept.last().filter(|last| name(last) == name(&head)) {
                Some(last) => duplicates.push((head, last.clone())),
                None => kept.push(head),
            }
        }
        let buckets = buckets(kept.len());
        kept.sort_by_cached_key(|head| bucket(name(head), buckets));
        Players { heads: kept, buckets, duplicates, rows, not_seen, extras }
    }

    /// Calls `each` with every record in order. `record` is reused for each call.
    pub(super) fn for_each(&self, numbers: &Numbers, mut each: impl FnMut(&Record) -> Result<()>) -> Result<()> {
        let mut record = Record::default();
        self.heads.iter().try_for_each(|head| {
            row::read(&self.rows, head, numbers, self.extras, &mut record)
                .context("a row of the generator is damaged")?;
            each(&record)
        })
    }

    /// Number of players.
    pub(super) fn len(&self) -> usize {
        self.heads.len()
    }

    /// Writes the server's string: the number of buckets, where each begins and where the last one ends, and the
    /// records between newlines. Positions count from 1, as in Lua.
    pub(super) fn encode(
        &self,
        region: &str,
        server: &Server,
        numbers: &Numbers,
        models: &Models,
        shape: Shape<'_>,
    ) -> Result<EncodedServer> {
        let directory = PLACE_DIGITS * (self.buckets + 2);
        let mut payload = Vec::with_capacity(directory + 64 * self.heads.len() + 1);
        payload.resize(directory, ZERO);
        let mut places = vec![0; self.buckets + 1];
        let (mut newest, mut steps): (u32, Vec<CoderStep>) = (0, Vec::with_capacity(256));
        payload.push(b'\n');
        places[0] = payload.len();
        self.for_each(numbers, |record| {
            newest = newest.max(record.day);
            payload.extend_from_slice(&record.name);
            payload.push(ZERO + record.class_id as u8);
            models
                .write(record, shape, &mut steps, &mut payload)
                .context("a record has a value that the models lack")?;
            payload.push(b'\n');
            places[bucket(&record.name, self.buckets) + 1] = payload.len();
            Ok(())
        })?;
        // A bucket without players ends where the previous one does.
        for place in 1..places.len() {
            places[place] = places[place].max(places[place - 1]);
        }
        let mut digits = Vec::with_capacity(directory);
        put_digits(&mut digits, self.buckets as u64, PLACE_DIGITS);
        places.iter().for_each(|place| put_digits(&mut digits, *place as u64, PLACE_DIGITS));
        payload[..directory].copy_from_slice(&digits);
        let refused = self.duplicates.iter().map(|(head, kept)| self.duplicate(region, server, head, kept)).collect();
        let (players, not_seen) = (self.heads.len() as u64, self.not_seen);
        Ok(EncodedServer { payload, players, newest, not_seen, refused })
    }

    fn duplicate(&self, region: &str, server: &Server, head: &row::RowHead, kept: &row::RowHead) -> InvalidPlayer {
        let updated_at = Timestamp::from_second(kept.updated_at as i64).unwrap_or_default();
        InvalidPlayer {
            id: head.id,
            name: name::shown(&self.rows[head.name.clone()]),
            server: server.name.clone(),
            region: region.to_owned(),
            reason: format!("player {} has the same name and was updated at {updated_at}", kept.id),
        }
    }
}
