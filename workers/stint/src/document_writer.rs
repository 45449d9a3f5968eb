//! Writes documents as lines of extended JSON, to a file or to standard output.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::atomic_file::AtomicFile;
use crate::context::Context;
use crate::escape::escape_control;
use crate::format::count;
use crate::progress_bars::ProgressBar;
use crate::usage::WrongUsage;

/// The number of documents between two updates of the progress display.
const TICK: u64 = 1_000;

/// The destination of documents.
pub(crate) struct DocumentWriter {
    destination: Destination,
    documents: u64,
    bar: ProgressBar,
}

enum Destination {
    Output(BufWriter<StdoutLock<'static>>),
    File(AtomicFile),
}

impl DocumentWriter {
    /// Opens the destination: a file, which appears once it is complete and is replaced only with `force`, or standard
    /// output.
    pub(crate) fn open(file: Option<&Path>, force: bool, context: &Context) -> Result<DocumentWriter> {
        let Some(file) = file else {
            if context.output.is_json() {
                return Err(WrongUsage::error(
                    "--json and the documents both use standard output: name a file, or leave --json out",
                ));
            }
            let destination = Destination::Output(BufWriter::new(io::stdout().lock()));
            return Ok(DocumentWriter { destination, documents: 0, bar: ProgressBar::hidden() });
        };
        let watched = context.output.is_interactive();
        let bar = if watched {
            context.output.progress_bars().add(ProgressBar::new_spinner())
        } else {
            ProgressBar::hidden()
        };
        Ok(DocumentWriter { destination: Destination::File(AtomicFile::create(file, force)?), documents: 0, bar })
    }

    /// Writes one document.
    pub(crate) fn write(&mut self, document: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(document)?;
        line.push(b'\n');
        match &mut self.destination {
            // A program that reads them receives every byte; for a terminal, control characters are escaped.
            Destination::Output(output) if output.get_ref().is_terminal() => {
                output.write_all(escape_control(&String::from_utf8_lossy(&line)).as_bytes())?;
            }
            Destination::Output(output) => output.write_all(&line)?,
            Destination::File(file) => file.write_all(&line)?,
        }
        self.documents += 1;
        if self.documents.is_multiple_of(TICK) {
            self.bar.set_message(count(self.documents, "document", "documents"));
            self.bar.tick();
        }
        Ok(())
    }

    /// Completes the file. Returns the number of documents in it.
    pub(crate) fn finish(self) -> Result<u64> {
        match self.destination {
            Destination::Output(mut output) => output.flush()?,
            Destination::File(file) => file.finish()?,
        }
        self.bar.finish_and_clear();
        Ok(self.documents)
    }
}

/// Returns `None` if the reader of standard output has closed it, as in `stint data export … - | head`.
pub(crate) fn ok_unless_broken_pipe<T>(written: Result<T>) -> Result<Option<T>> {
    match written {
        Err(error) if is_broken_pipe(&error) => Ok(None),
        written => written.map(Some),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Returns the file named on the command line, or `None` for `-`, which is standard output.
pub(crate) fn file_or_stdout(file: &Path) -> Option<&Path> {
    Some(file).filter(|file| *file != Path::new("-"))
}
