//! All players between the store and the files, sorted by region and server, in bounded memory.
//!
//! Rows are kept in memory up to [`MAX_BYTES_IN_MEMORY`]; the others go to an unnamed file, which vanishes with the
//! process.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use jiff::Timestamp;

use super::dictionary::{Dictionaries, LocalDictionaries};
use super::draft::Draft;
use super::options::DatabaseOptions;
use super::report::InvalidPlayer;
use super::row;
use super::server::Players;
use super::validate;
use crate::model::{PlayerId, Server};

/// Bytes of rows in memory: those of a few hundred thousand players.
const MAX_BYTES_IN_MEMORY: usize = 64 << 20;

/// Everything that was staged.
pub(crate) struct Stage {
    pub(crate) options: DatabaseOptions,
    regions: Mutex<BTreeMap<String, Arc<Region>>>,
    /// The state of each thread; a thread takes one for each batch.
    known: Mutex<Vec<ThreadState>>,
    spool: Mutex<File>,
    /// Bytes of rows in memory, and the most that may be there.
    held: AtomicUsize,
    most_held: usize,
    /// Players that were updated before this second are left out.
    oldest: AtomicI64,
}

/// One region.
pub(crate) struct Region {
    pub(crate) name: String,
    dictionaries: Mutex<Dictionaries>,
    servers: Mutex<Servers>,
}

#[derive(Default)]
struct Servers {
    places: HashMap<String, usize>,
    staged: Vec<StagedServer>,
}

/// One server's rows.
struct StagedServer {
    /// Names from the document of the player who was updated last.
    server: Server,
    /// When that player was updated, in seconds since 1970.
    updated_at: i64,
    rows: Vec<u8>,
    spooled: Vec<Range<u64>>,
}

/// The state that one thread needs to write rows.
#[derive(Default)]
struct ThreadState {
    regions: HashMap<String, RegionState>,
}

/// One thread's state for one region.
struct RegionState {
    region: Arc<Region>,
    known: LocalDictionaries,
    /// Indexes of servers, by slug.
    places: HashMap<String, usize>,
}

/// The result of a batch of documents.
#[derive(Default)]
pub(crate) struct StagedBatch {
    /// Number of added bytes.
    bytes: usize,
    /// Players without ranks among those that are written.
    pub(crate) without_ranks: u64,
    pub(crate) refused: Vec<InvalidPlayer>,
    /// Documents that cannot be parsed, with the reason.
    pub(crate) damaged: Vec<(PlayerId, String)>,
}

impl Stage {
    /// An empty stage that may use files in `folder`.
    pub(crate) fn new(folder: &Path, options: DatabaseOptions) -> Result<Stage> {
        let spool = tempfile::tempfile_in(folder)
            .with_context(|| format!("cannot create a file in {}; is it writable?", folder.display()))?;
        Ok(Stage {
            options,
            regions: Mutex::default(),
            known: Mutex::default(),
            spool: Mutex::new(spool),
            held: AtomicUsize::new(0),
            most_held: MAX_BYTES_IN_MEMORY,
            oldest: AtomicI64::new(i64::MIN),
        })
    }

    /// Parses documents and keeps their rows. Several threads may do so at once.
    pub(crate) fn add(&self, documents: &[(PlayerId, String)]) -> StagedBatch {
        let mut thread_state = lock(&self.known).pop().unwrap_or_default();
        let mut batch = StagedBatch::default();
        let mut rows = Vec::new();
        let with_extras = self.options.extras().any();
        for (id, text) in documents {
            match Draft::read(text, with_extras) {
                Ok(draft) => {
                    if let Err(reason) = self.add_draft(&draft, &mut thread_state, &mut rows, &mut batch) {
                        batch.refused.push(InvalidPlayer::of(&draft, reason));
                    }
                }
                Err(error) => batch.damaged.push((*id, error.to_string())),
            }
        }
        lock(&self.known).push(thread_state);
        batch
    }

    fn add_draft(
        &self,
        draft: &Draft<'_>,
        thread_state: &mut ThreadState,
        row: &mut Vec<u8>,
        batch: &mut StagedBatch,
    ) -> Result<(), String> {
        validate::check(draft)?;
        row.clear();
        let regions = &mut thread_state.regions;
        if !regions.contains_key(&*draft.region) {
            let region = self.region(&draft.region);
            let region_state = RegionState { region, known: LocalDictionaries::default(), places: HashMap::new() };
            regions.insert(draft.region.to_string(), region_state);
        }
        let Some(region_state) = regions.get_mut(&*draft.region) else { return Ok(()) };
        if !draft.has_ranks(&self.options) {
            batch.without_ranks += 1;
            return Ok(());
        }
        row::write(draft, &self.options, &mut region_state.known, &region_state.region.dictionaries, row)?;
        region_state.add_row(draft, row);
        batch.bytes += row.len();
        Ok(())
    }

    fn region(&self, name: &str) -> Arc<Region> {
        let mut regions = lock(&self.regions);
        let region = regions.entry(name.to_owned()).or_insert_with(|| {
            Arc::new(Region { name: name.to_owned(), dictionaries: Mutex::default(), servers: Mutex::default() })
        });
        region.clone()
    }

    /// Counts a batch, and moves rows to the file if there are too many.
    pub(crate) fn count_and_spill(&self, batch: &StagedBatch) -> Result<()> {
        if self.held.fetch_add(batch.bytes, Ordering::Relaxed) + batch.bytes > self.most_held {
            self.held.store(0, Ordering::Relaxed);
            self.spill().context("cannot write to the generator's own file; is the disk full?")?;
        }
        Ok(())
    }

    fn spill(&self) -> Result<()> {
        let mut spool = lock(&self.spool);
        let mut end = spool.seek(SeekFrom::End(0))?;
        for region in lock(&self.regions).values() {
            for server in &mut lock(&region.servers).staged {
                if server.rows.is_empty() {
                    continue;
                }
                let rows = std::mem::take(&mut server.rows);
                spool.write_all(&rows)?;
                server.spooled.push(end..end + rows.len() as u64);
                end += rows.len() as u64;
            }
        }
        Ok(())
    }

    /// The regions of the documents, in ascending order by name. They may have no players.
    pub(crate) fn regions(&self) -> Vec<Arc<Region>> {
        lock(&self.regions).values().cloned().collect()
    }

    /// From here on, leaves out players that were not updated within the number of days in the options. The days are
    /// counted back from the newest player, not from `now`: a fleet that was stopped loses no player, and the same
    /// players give the same files. If the newest player is in the future, they are counted back from `now`. Returns
    /// the threshold.
    pub(crate) fn leave_out_older(&self, now: Timestamp) -> Option<Timestamp> {
        let days = self.options.max_age_days?;
        let newest = lock(&self.regions).values().filter_map(|region| region.newest()).max()?;
        let oldest = newest.min(now.as_second()) - i64::from(days) * 86_400;
        self.oldest.store(oldest, Ordering::Relaxed);
        Timestamp::from_second(oldest).ok()
    }

    /// The players of a server.
    pub(crate) fn players(&self, region: &Region, place: usize) -> Result<Players> {
        let rows = self.rows(region, place)?;
        Ok(Players::new(rows, self.oldest.load(Ordering::Relaxed), self.options.extras()))
    }

    /// Whether a server has players that are not left out.
    pub(crate) fn has_players(&self, region: &Region, place: usize) -> bool {
        lock(&region.servers).staged[place].updated_at >= self.oldest.load(Ordering::Relaxed)
    }

    /// All rows of a server.
    pub(crate) fn rows(&self, region: &Region, place: usize) -> Result<Vec<u8>> {
        let servers = lock(&region.servers);
        let server = &servers.staged[place];
        let spooled: u64 = server.spooled.iter().map(|range| range.end - range.start).sum();
        let mut rows = Vec::with_capacity(spooled as usize + server.rows.len());
        let mut spool = lock(&self.spool);
        for range in &server.spooled {
            spool.seek(SeekFrom::Start(range.start))?;
            (&mut *spool).take(range.end - range.start).read_to_end(&mut rows)?;
        }
        rows.extend_from_slice(&server.rows);
        Ok(rows)
    }
}

impl Region {
    /// The region's servers with their indexes in the stage, by slug.
    pub(crate) fn servers(&self) -> Vec<(Server, usize)> {
        let servers = lock(&self.servers);
        let mut ordered: Vec<(Server, usize)> =
            servers.staged.iter().enumerate().map(|(place, staged)| (staged.server.clone(), place)).collect();
        ordered.sort_unstable_by(|(left, _), (right, _)| left.slug.cmp(&right.slug));
        ordered
    }

    /// The time of the latest update of any player.
    fn newest(&self) -> Option<i64> {
        lock(&self.servers).staged.iter().map(|server| server.updated_at).max()
    }

    /// The dictionaries that its rows refer to.
    pub(crate) fn dictionaries(&self) -> Dictionaries {
        lock(&self.dictionaries).clone()
    }
}

impl RegionState {
    /// Adds a row to its server's rows.
    fn add_row(&mut self, draft: &Draft<'_>, row: &[u8]) {
        let mut servers = lock(&self.region.servers);
        let slug = &*draft.server.slug;
        let place = match self.places.get(slug) {
            Some(place) => *place,
            None => {
                let place = servers.place(draft);
                self.places.insert(slug.to_owned(), place);
                place
            }
        };
        let server = &mut servers.staged[place];
        server.name_after(draft);
        server.rows.extend_from_slice(row);
    }
}

impl Servers {
    fn place(&mut self, draft: &Draft<'_>) -> usize {
        let slug = &*draft.server.slug;
        if let Some(place) = self.places.get(slug) {
            return *place;
        }
        let place = self.staged.len();
        let (server, updated_at) = (draft.server.to_server(), draft.updated_at.as_second());
        self.staged.push(StagedServer { server, updated_at, rows: Vec::new(), spooled: Vec::new() });
        self.places.insert(slug.to_owned(), place);
        place
    }
}

impl StagedServer {
    /// Takes the server's names from a player's document if it is the newest one. Of documents of the same second, the
    /// one with the greater names counts, whatever their order.
    fn name_after(&mut self, draft: &Draft<'_>) {
        let updated_at = draft.updated_at.as_second();
        let names = (&*draft.server.name, &*draft.server.normalized_name);
        let own = (&*self.server.name, &*self.server.normalized_name);
        if names != own && (updated_at, names) > (self.updated_at, own) {
            self.server = draft.server.to_server();
        }
        self.updated_at = self.updated_at.max(updated_at);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A player on one of three servers.
    fn document(id: u64) -> (PlayerId, String) {
        let server = ["Aa", "Bb", "Cc"][id as usize % 3];
        let text = serde_json::json!({
            "_id": id, "name": format!("Ann{}", "a".repeat(id as usize)), "classId": 4, "region": "EU",
            "server": {"name": server, "slug": server, "normalizedName": server},
            "updatedAt": {"$date": "2026-11-20T10:00:00Z"},
            "raids": {"26": {"4": {"metric": "dps", "best": 1, "median": 1, "encounters": {}}}},
        });
        (id, text.to_string())
    }

    /// The rows of each server, after batches of ten players.
    fn rows(most_held: usize) -> Vec<(String, Vec<u8>)> {
        let folder = tempfile::tempdir().unwrap();
        let mut stage = Stage::new(folder.path(), DatabaseOptions::default()).unwrap();
        stage.most_held = most_held;
        for batch in 0..5 {
            let documents: Vec<(PlayerId, String)> = (batch * 10..batch * 10 + 10).map(document).collect();
            stage.count_and_spill(&stage.add(&documents)).unwrap();
        }
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "the file has no name");
        let region = stage.regions().remove(0);
        let servers = region.servers().into_iter();
        servers.map(|(server, place)| (server.slug, stage.rows(&region, place).unwrap())).collect()
    }

    #[test]
    fn rows_come_back_from_the_file_as_they_went_there() {
        let held = rows(usize::MAX);
        assert_eq!(held.iter().map(|(slug, _)| slug.as_str()).collect::<Vec<_>>(), ["Aa", "Bb", "Cc"]);
        assert_eq!(held.iter().map(|(_, rows)| row::heads(rows).len()).sum::<usize>(), 50);
        assert_eq!(rows(0), held, "each batch goes to the file");
        assert_eq!(rows(1_000), held, "some go to the file");
    }
}
