//! What people and programs see: results on stdout, everything else on stderr. All of it goes through [`printable`].

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::MultiProgress;
use serde::Serialize;
use tracing_subscriber::fmt::MakeWriter;

use crate::printable::printable;

/// Where a command prints. With `--json`, one JSON object is the only thing on stdout.
#[derive(Clone)]
pub(crate) struct Output {
    json: bool,
    /// Whether stdout has its object already.
    printed: Arc<AtomicBool>,
    bars: MultiProgress,
}

impl Output {
    pub(crate) fn new(json: bool) -> Output {
        Output { json, printed: Arc::default(), bars: MultiProgress::new() }
    }

    /// Whether progress bars are of use: somebody watches.
    pub(crate) fn is_watched(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// Where progress bars go: stderr.
    pub(crate) fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// A result: as JSON, or in words.
    pub(crate) fn result<T: Serialize>(&self, result: &T, in_words: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        let text = if self.json { serde_json::to_string_pretty(result)? + "\n" } else { in_words(result) };
        let text = printable(&text);
        self.printed.store(true, Ordering::SeqCst);
        self.bars.suspend(|| {
            let mut stdout = io::stdout().lock();
            match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
                // Whoever read us has seen enough: `stint status | head -1`.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                written => written.map_err(Into::into),
            }
        })
    }

    /// A line for whoever watches: stdout in words, stderr beside JSON.
    pub(crate) fn line(&self, text: &str) {
        let text = printable(text);
        self.bars.suspend(|| {
            // A reader that has gone does not stop the work.
            let _ = if self.json { writeln!(io::stderr(), "{text}") } else { writeln!(io::stdout(), "{text}") };
        });
    }

    /// How far long work has come, where no bar shows it: on stderr.
    pub(crate) fn progress(&self, text: &str) {
        let text = printable(text);
        if !self.is_watched() {
            // There is nowhere to report that it could not be told.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// What a command that is at work has to say: on stderr, since it is no result.
    pub(crate) fn aside(&self, text: &str) {
        let text = printable(text);
        self.bars.suspend(|| {
            // A reader that has gone does not stop the work.
            let _ = writeln!(io::stderr(), "{text}");
        });
    }

    /// Something that whoever watches should know, and that does not stop the work: on stderr.
    pub(crate) fn warning(&self, text: &str) {
        let text = printable(text);
        self.bars.suspend(|| {
            // There is nowhere to report that a warning could not be reported.
            let _ = writeln!(io::stderr(), "warning: {text}");
        });
    }

    /// Whether the result is for a program.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// An error with its causes, on stderr; with `--json` as an object on stdout too, unless a result is there.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let text = format!("{error:#}");
        let shown = printable(&text);
        self.bars.suspend(|| {
            // There is nowhere to report that an error could not be reported.
            let _ = writeln!(io::stderr(), "error: {shown}");
            if self.json && !self.printed.swap(true, Ordering::SeqCst) {
                let object = serde_json::json!({ "error": text }).to_string();
                let _ = writeln!(io::stdout(), "{}", printable(&object));
            }
        });
    }

    /// For log lines, which must not tear the progress bars.
    pub(crate) fn log_writer(&self) -> LogWriter {
        LogWriter(self.bars.clone())
    }
}

/// Writes log lines to stderr between the progress bars.
#[derive(Clone)]
pub(crate) struct LogWriter(MultiProgress);

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.suspend(|| io::stderr().write_all(printable(&text).as_bytes())).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for LogWriter {
    type Writer = LogWriter;

    fn make_writer(&self) -> LogWriter {
        self.clone()
    }
}
