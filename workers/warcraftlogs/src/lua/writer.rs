//! Takes players and writes one addon per region.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use anyhow::{Context, Result};
use jiff::Timestamp;
use rayon::prelude::*;

use super::options::DatabaseOptions;
use super::region::{WrittenRegion, write_region};
use super::report::{GenerationReport, RegionReport};
use super::stage::{Stage, StagedBatch};
use super::verify::verify;
use crate::addon;
use crate::model::{Player, PlayerId};

/// Documents that one thread parses at a time.
const AT_A_TIME: usize = 250;

/// Writes the databases of all regions.
///
/// Players come in any order; the same players give the same bytes. The files appear under their final names in
/// [`finish`](DatabaseWriter::finish), after all of them have been read back; until then, and if it fails or is
/// dropped, the older ones stay.
pub struct DatabaseWriter {
    folder: PathBuf,
    stage: Arc<Stage>,
    report: GenerationReport,
    /// Results for the documents that are being parsed.
    reading: Option<Receiver<Vec<StagedBatch>>>,
}

impl DatabaseWriter {
    /// Starts a generation of everything into this folder, which is created if it is missing.
    pub fn create(folder: impl Into<PathBuf>) -> Result<DatabaseWriter> {
        DatabaseWriter::create_with(folder, DatabaseOptions::default())
    }

    /// Starts a generation with the contents that `options` select.
    pub fn create_with(folder: impl Into<PathBuf>, options: DatabaseOptions) -> Result<DatabaseWriter> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create the folder {} for the databases", folder.display()))?;
        let stage = Stage::new(&folder, options)?;
        Ok(DatabaseWriter { folder, stage: Arc::new(stage), report: GenerationReport::default(), reading: None })
    }

    /// Takes documents of `players` as JSON, by id. They are parsed on all cores while the caller fetches the next
    /// ones; the next call waits for the earlier ones. A player that the format cannot represent is refused, and so is
    /// a document that cannot be parsed: it is listed in the report, and the others continue.
    pub fn push_documents(&mut self, documents: Vec<(PlayerId, String)>) -> Result<()> {
        self.wait_for_readers()?;
        let (sender, receiver) = sync_channel(1);
        let stage = self.stage.clone();
        rayon::spawn(move || {
            let batches = documents.par_chunks(AT_A_TIME).map(|documents| stage.add(documents)).collect();
            // The receiver is gone if the writer was dropped.
            sender.send(batches).ok();
        });
        self.reading = Some(receiver);
        Ok(())
    }

    /// Waits for the documents that are being parsed.
    fn wait_for_readers(&mut self) -> Result<()> {
        let Some(reading) = self.reading.take() else { return Ok(()) };
        for batch in reading.recv().context("documents were not read to their end")? {
            self.stage.count_and_spill(&batch)?;
            self.report.left_out.without_ranks += batch.without_ranks;
            batch.refused.into_iter().for_each(|refused| self.report.refuse(refused));
            batch.damaged.into_iter().for_each(|(id, reason)| self.report.refuse_document(id, reason));
        }
        Ok(())
    }

    /// Adds one player.
    pub fn push(&mut self, player: Player) -> Result<()> {
        self.push_documents(vec![(player.id, serde_json::to_string(&player)?)])
    }

    /// Writes and reads back every file, then gives the files their final names and makes addons of them, with the core
    /// beside them. `generated_at` is only in the report, and limits the age of players if one was updated later.
    pub fn finish(mut self, generated_at: Timestamp) -> Result<GenerationReport> {
        self.wait_for_readers()?;
        self.report.left_out.not_seen_since = self.stage.leave_out_older(generated_at);
        let mut written = Vec::new();
        for region in self.stage.regions() {
            match write_region(&self.stage, &region, &self.folder, &mut self.report)? {
                Some(region_written) => {
                    verify(&self.stage, &region, &region_written)?;
                    written.push(region_written);
                }
                None => self.report.left_out.regions.push(region.name.clone()),
            }
        }
        self.report.log_left_out();
        for region in written {
            self.publish(region)?;
        }
        addon::write_core(&self.folder)?;
        self.report.generated_at = generated_at;
        Ok(self.report)
    }

    fn publish(&mut self, written: WrittenRegion) -> Result<()> {
        let WrittenRegion { region, format, updated_at, files, players, bytes, largest, places, .. } = written;
        let mut paths = Vec::new();
        for file in files {
            paths.push(file.publish()?);
        }
        let names: Vec<String> =
            paths.iter().map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned()).collect();
        addon::write_region(&self.folder, &region, format, &updated_at, &names)?;
        // Files of an earlier, larger database.
        let last = super::database_path(&self.folder, &region);
        (names.len()..).take_while(|part| std::fs::remove_file(super::part_path(&last, *part)).is_ok()).for_each(drop);
        self.report.regions.push(RegionReport {
            path: last,
            files: paths,
            region,
            players,
            servers: places.len() as u64,
            bytes,
            bytes_per_player: (bytes as f64 / players.max(1) as f64 * 100.0).round() / 100.0,
            largest_servers: largest,
        });
        Ok(())
    }
}
