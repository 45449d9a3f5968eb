//! The context of every command: a folder, a clock, and an output.

use std::path::PathBuf;
use std::sync::Arc;

use stint_core::clock::Clock;
use stint_embedded::Embedded;

use crate::output::Output;
use crate::wiring::{BackendChoice, BackendNeeds, BackendSettings, Backends, OptionalPorts};

/// The context of every command.
pub(crate) struct Context {
    /// `STINT_HOME`.
    pub(crate) home: PathBuf,
    /// The output of the command.
    pub(crate) output: Output,
    /// The clock.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Context {
    /// Returns whether there is anything to read: a folder that was used before, or servers.
    pub(crate) fn is_installed(&self, ports: OptionalPorts) -> anyhow::Result<bool> {
        Ok(!self.backend_choice()?.has_sqlite(ports) || Embedded::is_at(&self.home))
    }

    /// Returns the backend behind each port, as set in the environment.
    pub(crate) fn backend_choice(&self) -> anyhow::Result<BackendChoice> {
        Ok(BackendSettings::from_environment()?.choice())
    }

    /// Opens the backends that `settings` select, for fleets with these `needs`.
    pub(crate) async fn backends(&self, settings: &BackendSettings, needs: BackendNeeds) -> anyhow::Result<Backends> {
        Backends::open(settings, needs, &self.home, self.clock.clone()).await
    }
}
