//! What every command is given: a folder, a clock, and where to print.

use std::path::PathBuf;
use std::sync::Arc;

use stint_core::clock::Clock;
use stint_embedded::Embedded;

use crate::output::Output;
use crate::wiring::{BackendSettings, Backends, Choice, Needs};

/// What every command is given.
pub(crate) struct Context {
    /// `STINT_HOME`.
    pub(crate) home: PathBuf,
    /// Where to print.
    pub(crate) output: Output,
    /// What time it is.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Context {
    /// Whether there is anything to look at: a folder that was used before, or servers.
    pub(crate) fn is_installed(&self) -> anyhow::Result<bool> {
        Ok(!self.choice()?.has_sqlite() || Embedded::is_at(&self.home))
    }

    /// What stands behind each port, by the settings of the environment.
    pub(crate) fn choice(&self) -> anyhow::Result<Choice> {
        Ok(BackendSettings::from_environment()?.choice())
    }

    /// The backends that `settings` choose, for fleets with these `needs`.
    pub(crate) async fn backends(&self, settings: &BackendSettings, needs: Needs) -> anyhow::Result<Backends> {
        Backends::open(settings, needs, &self.home, self.clock.clone()).await
    }
}
