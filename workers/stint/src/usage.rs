//! Wrong usage that only a command notices, not the parser of the command line.

use std::fmt;

/// Ends the program with exit code 2.
#[derive(Debug)]
pub(crate) struct WrongUsage(String);

impl WrongUsage {
    /// Says what is wrong and what to write instead.
    pub(crate) fn error(text: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(WrongUsage(text.into()))
    }
}

impl fmt::Display for WrongUsage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for WrongUsage {}
