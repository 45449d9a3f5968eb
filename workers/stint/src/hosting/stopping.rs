//! How a command that is at work ends on Ctrl-C or SIGTERM: what is under way is finished first.

use std::time::Duration;

use futures::future::{Either, select};
use tokio::signal::unix::{SignalKind, signal};

use crate::context::Context;

/// What is still running this long after the signal is left to its visibility time-out and its holds' end.
const DRAIN: Duration = Duration::from_secs(30);

/// What is said when the signal has come.
pub(crate) const STOPPING: &str = "stopping: what is under way is finished first";

/// Completes at Ctrl-C or SIGTERM.
pub(crate) async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    match select(Box::pin(tokio::signal::ctrl_c()), Box::pin(terminate.recv())).await {
        Either::Left((pressed, _)) => pressed?,
        Either::Right(_) => {}
    }
    Ok(())
}

/// Waits for what is under way. A second signal, or a while, ends the wait with `None`: messages come back by themselves,
/// and holds end by themselves.
pub(crate) async fn drained<F: Future + Unpin>(under_way: F, context: &Context) -> Option<F::Output> {
    let patience = select(context.clock.sleep(DRAIN), Box::pin(interrupted()));
    match select(under_way, patience).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}
