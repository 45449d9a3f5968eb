//! Writes documents as lines of extended JSON, to a file or to standard output.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::aside::Aside;
use crate::bars::ProgressBar;
use crate::context::Context;
use crate::printable::printable;
use crate::usage::WrongUsage;
use crate::words::count;

/// The number of documents between two updates of the progress display.
const TICK: u64 = 1_000;

/// The destination of documents.
pub(crate) struct Lines {
    sink: Sink,
    documents: u64,
    bar: ProgressBar,
}

enum Sink {
    Output(BufWriter<StdoutLock<'static>>),
    File(Aside),
}

impl Lines {
    /// Opens the destination: a file, which appears once it is complete and is replaced only with `force`, or standard
    /// output.
    pub(crate) fn open(file: Option<&Path>, force: bool, context: &Context) -> Result<Lines> {
        let Some(file) = file else {
            if context.output.is_json() {
                return Err(WrongUsage::error(
                    "--json and the documents both want standard output: name a file, or leave --json away",
                ));
            }
            let sink = Sink::Output(BufWriter::new(io::stdout().lock()));
            return Ok(Lines { sink, documents: 0, bar: ProgressBar::hidden() });
        };
        let watched = context.output.is_watched();
        let bar = if watched { context.output.bars().add(ProgressBar::new_spinner()) } else { ProgressBar::hidden() };
        Ok(Lines { sink: Sink::File(Aside::create(file, force)?), documents: 0, bar })
    }

    /// Writes one document.
    pub(crate) fn write(&mut self, document: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(document)?;
        line.push(b'\n');
        match &mut self.sink {
            // A program that reads them receives every byte; for a terminal, control characters are escaped.
            Sink::Output(output) if output.get_ref().is_terminal() => {
                output.write_all(printable(&String::from_utf8_lossy(&line)).as_bytes())?;
            }
            Sink::Output(output) => output.write_all(&line)?,
            Sink::File(file) => file.write_all(&line)?,
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
        match self.sink {
            Sink::Output(mut output) => output.flush()?,
            Sink::File(file) => file.finish()?,
        }
        self.bar.finish_and_clear();
        Ok(self.documents)
    }
}

/// Returns `None` if the reader of standard output has closed it, as in `stint data export … - | head`.
pub(crate) fn unless_enough_was_read<T>(written: Result<T>) -> Result<Option<T>> {
    match written {
        Err(error) if is_broken_pipe(&error) => Ok(None),
        written => written.map(Some),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Returns the file named on the command line, or `None` for `-`, which is standard output.
pub(crate) fn named(file: &Path) -> Option<&Path> {
    Some(file).filter(|file| *file != Path::new("-"))
}
