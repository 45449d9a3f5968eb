//! Serves a stand-in upstream on a loopback socket.

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use serde::Serialize;
use stint_standins::Upstream;
use tokio::net::TcpListener;

use crate::context::Context;

/// The help text that all stand-ins share.
pub(super) const HELP: &str = "It listens on loopback only, and prints the settings that point a fleet at it. Its counters are at /standin/books.";

/// Listens on `port`, prints `address` applied to the port in use, and serves `upstream` until Ctrl-C.
pub(super) async fn serve<A: Serialize>(
    upstream: impl Upstream + 'static,
    port: u16,
    address: impl FnOnce(u16) -> A,
    to_text: impl FnOnce(&A) -> String,
    context: &Context,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await;
    let listener = listener.with_context(|| format!("cannot listen on port {port}; try --port 0"))?;
    context.output.result(&address(listener.local_addr()?.port()), to_text)?;
    let until_interrupted = async {
        // If the handler cannot be installed, the signal itself ends the process, which has the same effect.
        let _ = tokio::signal::ctrl_c().await;
    };
    stint_standins::serve(Arc::new(Mutex::new(upstream)), context.clock.clone(), listener, until_interrupted).await?;
    Ok(())
}
