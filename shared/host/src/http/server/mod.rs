//! The routes of workers on a socket of this machine: HTTP/1.1.
//!
//! # What keeps one caller from stopping the others
//! Every connection is a task of its own, and each of its stages has an end: the head of a request must arrive within
//! [`ServerLimits::head_timeout`], which is also how long a connection may stay open between two requests; the body within
//! [`ServerLimits::body_timeout`]; the route has its time-out; and a caller that reads nothing of its response for
//! [`ServerLimits::write_timeout`] is disconnected. At [`ServerLimits::connections`] open ones, a new connection closes the
//! one that has waited longest for a request. Only if all of them are being served does a new one wait.

mod body;
mod connections;
mod exchange;
mod watched;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use stint_core::clock::Clock;
use stint_core::worker::StopSignal;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::HttpApp;
use connections::{Connection, Connections, TICK};
use exchange::Exchange;
use watched::Watched;

/// The most bytes of a head before the connection is closed without a response of ours.
const HARD_HEAD_LIMIT: usize = 64 * 1024;

/// The limits of a server.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// The most open connections.
    pub connections: usize,
    /// The most bytes in the address and the headers of a request. A larger request is refused with 431.
    pub head_bytes: usize,
    /// How long a connection may wait for the end of a request's head.
    pub head_timeout: Duration,
    /// How long the body of a request may take to arrive.
    pub body_timeout: Duration,
    /// How long a caller may read nothing of its response.
    pub write_timeout: Duration,
    /// How long requests are still served after a stop.
    pub drain_timeout: Duration,
    /// The header with the address of the caller, which a proxy in front of this server sets. The last address in it counts.
    pub address_header: Option<String>,
}

impl Default for ServerLimits {
    fn default() -> ServerLimits {
        ServerLimits {
            // Half of the 1,024 open files that most systems allow a process.
            connections: 512,
            // Above the gateway's 10,240 bytes, so that what works there works here.
            head_bytes: 16 * 1024,
            // Longer than the 60 seconds for which proxies keep connections open, so that the proxy closes first.
            head_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            // Below the 30 seconds after which the process ends in any case.
            drain_timeout: Duration::from_secs(25),
            address_header: None,
        }
    }
}

/// Serves the routes of workers on a socket.
pub struct HttpServer {
    app: Arc<HttpApp>,
    limits: Arc<ServerLimits>,
    clock: Arc<dyn Clock>,
    stop: StopSignal,
}

impl HttpServer {
    /// Creates a server for `app`. It runs until `stop` is set, and then drains.
    pub fn new(app: Arc<HttpApp>, limits: ServerLimits, clock: Arc<dyn Clock>, stop: StopSignal) -> HttpServer {
        HttpServer { app, limits: Arc::new(limits), clock, stop }
    }

    /// Serves connections from `listener`. Completes once `stop` is set and all requests are served, or at the end of the
    /// time for that.
    pub async fn run(self, listener: TcpListener) {
        let stopping = watch::Sender::new(false);
        let mut connections = Connections::default();
        self.refresh().await;
        while !self.stop.is_set() {
            self.serve_for_a_tick(&listener, &mut connections, &stopping).await;
            connections.tick(&self.limits);
            self.refresh().await;
        }
        drop(listener);
        stopping.send_replace(true);
        self.drain(&mut connections).await;
    }

    /// Reads pauses and limits. If that fails, the last ones remain.
    async fn refresh(&self) {
        if let Err(error) = self.app.refresh().await {
            tracing::error!(%error, "cannot read the throttles: {error}");
        }
    }

    async fn serve_for_a_tick(
        &self,
        listener: &TcpListener,
        connections: &mut Connections,
        stopping: &watch::Sender<bool>,
    ) {
        let mut tick = pin!(self.clock.sleep(TICK));
        loop {
            let has_room = connections.count() < self.limits.connections || connections.has_idle();
            tokio::select! {
                () = &mut tick => return,
                () = connections.ended(), if connections.count() > 0 => {}
                accepted = listener.accept(), if has_room => match accepted {
                    Ok((stream, peer)) => self.start(stream, peer, connections, stopping),
                    Err(error) => {
                        // Too many open files, most likely: some are closed within the next ticks.
                        tracing::error!(%error, "cannot accept a connection: {error}");
                        return tick.await;
                    }
                },
            }
        }
    }

    fn start(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        connections: &mut Connections,
        stopping: &watch::Sender<bool>,
    ) {
        if connections.count() >= self.limits.connections {
            connections.close_longest_idle();
        }
        // Without this, the last packet of a response may wait for the caller's acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let connection = connections.new_connection();
        let exchange = Exchange {
            app: self.app.clone(),
            limits: self.limits.clone(),
            clock: self.clock.clone(),
            connection: connection.clone(),
            stopping: stopping.subscribe(),
            peer,
        };
        connections.start(connection.clone(), serve_connection(stream, connection, exchange));
    }

    async fn drain(&self, connections: &mut Connections) {
        connections.close_all();
        let mut over = pin!(self.clock.sleep(self.limits.drain_timeout));
        while connections.count() > 0 {
            tokio::select! {
                () = connections.ended() => {}
                () = &mut over => {
                    let count = connections.count();
                    tracing::warn!(connections = count, "{count} connections were still being served, and are closed");
                    return;
                }
            }
        }
    }
}

/// Serves requests until the caller closes the connection, an error occurs, or the connection is to be closed.
async fn serve_connection(stream: TcpStream, connection: Arc<Connection>, exchange: Exchange) {
    let exchange = Arc::new(exchange);
    let service = service_fn(move |request| {
        let exchange = exchange.clone();
        async move { Ok::<_, Infallible>(exchange.respond(request).await) }
    });
    let io = TokioIo::new(Watched::new(stream, connection.clone()));
    let mut builder = http1::Builder::new();
    // The server has its own time-outs, which need no timer for each connection.
    builder.header_read_timeout(None).max_header_size(HARD_HEAD_LIMIT);
    let mut serving = pin!(builder.serve_connection(io, service));
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = connection.close_requested() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended: {error}");
    }
}
