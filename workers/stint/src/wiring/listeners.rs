//! Which host runs a listener, and where its state is stored for `stint status`.

use std::process;
use std::sync::Arc;

use futures::FutureExt;
use jiff::Timestamp;
use serde::Serialize;
use stint_core::clock::{Clock, to_millis};
use stint_core::ports::PortResult;
use stint_core::worker::WorkerId;
use stint_embedded::{ListenerRow, SqliteListeners};
use stint_host::listeners::{ListenerPorts, ListenerState, StateSink};

use super::backends::Backends;

/// A listener in a process that runs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RunningListener {
    pub(crate) listener: WorkerId,
    /// The process that runs it.
    pub(crate) process: String,
    #[serde(flatten)]
    pub(crate) state: ListenerState,
}

/// Returns what a host needs to run listeners.
pub(crate) fn ports(backends: &Backends) -> anyhow::Result<ListenerPorts> {
    let (process, now) = (process::id(), backends.clock.now());
    let random = getrandom::u64().unwrap_or_default();
    Ok(ListenerPorts {
        leases: backends.leases()?,
        // Two machines may have processes of the same number.
        holder: format!("{process}-{}-{random:x}", to_millis(now)),
        states: sink(backends.embedded()?.listeners(), process.to_string(), backends.clock.clone()),
    })
}

/// Returns the listeners that processes run in the folder at `now`. A state that another version has written is left out.
pub(crate) async fn running(backends: &Backends, now: Timestamp) -> PortResult<Vec<RunningListener>> {
    let Ok(embedded) = backends.embedded() else { return Ok(Vec::new()) };
    let rows = embedded.listeners().list(now).await?;
    let read = |ListenerRow { listener, process, state }| {
        Some(RunningListener { listener, process, state: serde_json::from_str(&state).ok()? })
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

fn sink(listeners: SqliteListeners, process: String, clock: Arc<dyn Clock>) -> StateSink {
    Arc::new(move |listener, state| {
        let (listeners, process, now) = (listeners.clone(), process.clone(), clock.now());
        async move {
            let stored = match state.as_ref().map(serde_json::to_string) {
                Some(Ok(state)) => listeners.store(ListenerRow { listener, process, state }, now).await,
                Some(Err(_)) => Ok(()),
                None => listeners.remove(&listener, &process).await,
            };
            if let Err(error) = stored {
                tracing::warn!(%error, "cannot store the state of a listener: {error}");
            }
        }
        .boxed()
    })
}
