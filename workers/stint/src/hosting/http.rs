//! The listener of a process whose fleets serve HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use futures::FutureExt;
use futures::future::BoxFuture;
use stint_core::clock::Clock;
use stint_core::worker::StopSignal;
use stint_host::config::HttpSettings;
use stint_host::http::{HttpApp, HttpServer};
use tokio::net::TcpListener;

/// A server that listens, and does not serve yet.
pub(crate) struct Listening {
    server: HttpServer,
    listener: TcpListener,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Listening {
    /// Listens where `settings` say.
    pub(crate) async fn new(
        app: HttpApp,
        settings: &HttpSettings,
        clock: Arc<dyn Clock>,
        stop: StopSignal,
    ) -> anyhow::Result<Listening> {
        let wanted = settings.listen;
        let listener = TcpListener::bind(wanted).await;
        let listener =
            listener.with_context(|| format!("cannot listen on {wanted}; set STINT_LISTEN to another address"))?;
        let address = listener.local_addr()?;
        let server = HttpServer::new(Arc::new(app), settings.limits(), clock, stop);
        Ok(Listening { server, listener, address })
    }

    /// Serves until the stop signal is set and all requests are served.
    pub(crate) fn serve(self) -> BoxFuture<'static, ()> {
        self.server.run(self.listener).boxed()
    }
}

#[cfg(test)]
mod tests {
    use stint_embedded::Embedded;
    use stint_host::SystemClock;
    use stint_host::http::HttpPorts;
    use stint_testkit::http::{HttpClient, http_registry};

    use super::*;

    fn app(stop: &StopSignal) -> HttpApp {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let embedded = Embedded::in_memory(clock.clone()).unwrap();
        let rate_limits = Some(embedded.rate_limits().unwrap() as _);
        let ports = HttpPorts { throttle: embedded.throttle(), rate_limits, clock };
        HttpApp::new(http_registry().workers(), ports, stop.clone()).unwrap()
    }

    async fn listening(settings: &HttpSettings, stop: &StopSignal) -> anyhow::Result<Listening> {
        Listening::new(app(stop), settings, Arc::new(SystemClock), stop.clone()).await
    }

    #[tokio::test]
    async fn a_port_in_use_names_the_setting() {
        let stop = StopSignal::default();
        let first = listening(&HttpSettings::at("127.0.0.1:0".parse().unwrap()), &stop).await.unwrap();
        let taken = HttpSettings::at(first.address);
        let error = listening(&taken, &stop).await.err().unwrap().to_string();
        assert_eq!(error, format!("cannot listen on {}; set STINT_LISTEN to another address", first.address));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_serves_until_it_is_stopped() {
        let stop = StopSignal::default();
        let listening = listening(&HttpSettings::at("127.0.0.1:0".parse().unwrap()), &stop).await.unwrap();
        let address = listening.address;
        let serving = tokio::spawn(listening.serve());
        let received = tokio::task::spawn_blocking(move || HttpClient::connect(address, "")?.get("/echo/1", &[]));
        assert_eq!(received.await.unwrap().unwrap().status, 200);
        stop.set();
        serving.await.unwrap();
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}
