//! Wrong usage that a command detects rather than the command line parser.

use std::fmt;

/// The error that ends the program with exit code 2.
#[derive(Debug)]
pub(crate) struct WrongUsage(String);

impl WrongUsage {
    /// Creates an error that says what is wrong and what to write instead.
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
