//! Ends a running command on Ctrl-C or SIGTERM, after work in progress is finished.

use std::time::Duration;

use futures::future::{Either, select};
use tokio::signal::unix::{SignalKind, signal};

use crate::context::Context;

/// Work that is still running this long after the signal is abandoned: its messages return after their visibility
/// time-out, and its holds end by themselves.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Printed when the signal arrives.
pub(crate) const STOPPING_MESSAGE: &str = "stopping: finishing the work in progress";

/// Completes at Ctrl-C or SIGTERM.
pub(crate) async fn wait_for_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    match select(Box::pin(tokio::signal::ctrl_c()), Box::pin(terminate.recv())).await {
        Either::Left((pressed, _)) => pressed?,
        Either::Right(_) => {}
    }
    Ok(())
}

/// Waits for work in progress. Returns `None` after a second signal or after [`DRAIN_TIMEOUT`]: messages then return by
/// themselves, and holds end by themselves.
pub(crate) async fn drain<F: Future + Unpin>(under_way: F, context: &Context) -> Option<F::Output> {
    let patience = select(context.clock.sleep(DRAIN_TIMEOUT), Box::pin(wait_for_signal()));
    match select(under_way, patience).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}
