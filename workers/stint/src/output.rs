//! The output for people and programs: results on stdout, everything else on stderr. All of it passes through
//! [`escape_control`].

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use tracing_subscriber::fmt::MakeWriter;

use crate::escape::escape_control;
use crate::progress_bars::{self, MultiProgress};

/// The output of a command. With `--json`, one JSON object is the only output on stdout.
#[derive(Clone)]
pub(crate) struct Output {
    json: bool,
    /// Whether the object was already printed on stdout.
    printed: Arc<AtomicBool>,
    bars: MultiProgress,
}

impl Output {
    pub(crate) fn new(json: bool) -> Output {
        Output { json, printed: Arc::default(), bars: MultiProgress::new() }
    }

    /// Returns whether progress bars are useful, because stderr is a terminal.
    pub(crate) fn is_interactive(&self) -> bool {
        progress_bars::AVAILABLE && io::stderr().is_terminal()
    }

    /// Returns the progress bars, which are drawn on stderr.
    pub(crate) fn progress_bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Prints a result as JSON or as text.
    pub(crate) fn result<T: Serialize>(&self, result: &T, to_text: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        let text = if self.json { serde_json::to_string_pretty(result)? + "\n" } else { to_text(result) };
        let text = escape_control(&text);
        self.printed.store(true, Ordering::SeqCst);
        self.bars.suspend(|| {
            let mut stdout = io::stdout().lock();
            match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
                // The reader has closed the pipe, as in `stint status | head -1`.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                written => written.map_err(Into::into),
            }
        })
    }

    /// Prints a progress line: on stdout, or on stderr with `--json`.
    pub(crate) fn line(&self, text: &str) {
        let text = escape_control(text);
        self.bars.suspend(|| {
            // If the reader has closed the pipe, the work goes on.
            let _ = if self.json { writeln!(io::stderr(), "{text}") } else { writeln!(io::stdout(), "{text}") };
        });
    }

    /// Reports the progress of long work on stderr, if no progress bar is shown.
    pub(crate) fn progress(&self, text: &str) {
        let text = escape_control(text);
        if !self.is_interactive() {
            // A failure to write to stderr cannot be reported anywhere.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Prints a message of a running command on stderr, because it is not a result.
    pub(crate) fn message(&self, text: &str) {
        let text = escape_control(text);
        self.bars.suspend(|| {
            // If the reader has closed the pipe, the work goes on.
            let _ = writeln!(io::stderr(), "{text}");
        });
    }

    /// Prints a warning on stderr. The work goes on.
    pub(crate) fn warning(&self, text: &str) {
        let text = escape_control(text);
        self.bars.suspend(|| {
            // A failure to write to stderr cannot be reported anywhere.
            let _ = writeln!(io::stderr(), "warning: {text}");
        });
    }

    /// Returns whether the result is for a program.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints an error with its causes on stderr; with `--json` also as an object on stdout, unless a result was
    /// printed.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let text = format!("{error:#}");
        let shown = escape_control(&text);
        self.bars.suspend(|| {
            // A failure to write to stderr cannot be reported anywhere.
            let _ = writeln!(io::stderr(), "error: {shown}");
            if self.json && !self.printed.swap(true, Ordering::SeqCst) {
                let object = serde_json::json!({ "error": text }).to_string();
                let _ = writeln!(io::stdout(), "{}", escape_control(&object));
            }
        });
    }

    /// Returns a writer for log lines that does not disturb the progress bars.
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
        self.0.suspend(|| io::stderr().write_all(escape_control(&text).as_bytes())).map(|()| line.len())
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
