//! Hosts on threads of their own, for tests whose client blocks.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use stint_core::clock::{Clock, after, between};
use stint_core::ports::Throttle;
use stint_core::registry::Registry;
use stint_core::worker::StopSignal;
use stint_embedded::Embedded;
use stint_host::http::{HttpApp, HttpPorts, HttpServer, ServerLimits};
use stint_host::{LambdaHost, SystemClock};
use stint_runtime_api::{Front, GatewayFunction, serve_gateway};
use stint_testkit::http::{HttpClient, HttpWorld, http_registry};
use tokio::net::TcpListener;

/// The clock of this machine, which a test can set ahead.
#[derive(Clone, Default)]
pub(super) struct SkippingClock(Arc<AtomicU64>);

impl SkippingClock {
    fn skip(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for SkippingClock {
    fn now(&self) -> Timestamp {
        after(SystemClock.now(), Duration::from_millis(self.0.load(Ordering::SeqCst)))
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        SystemClock.sleep(between(self.now(), deadline))
    }
}

/// A host that runs until it is dropped.
pub(super) struct RunningHost {
    pub(super) address: SocketAddr,
    pub(super) stop: StopSignal,
    throttle: Arc<dyn Throttle>,
    clock: SkippingClock,
    front: Option<Front>,
    thread: Option<JoinHandle<()>>,
}

impl RunningHost {
    /// Serves `registry` from a socket.
    pub(super) fn serving(registry: Registry, limits: ServerLimits) -> RunningHost {
        RunningHost::start(None, move |ports, clock, stop| {
            let app = HttpApp::new(registry.workers(), ports, stop.clone()).unwrap().described_as("Test", "1");
            let server = HttpServer::new(Arc::new(app), limits, Arc::new(clock), stop);
            move |listener| server.run(listener).boxed()
        })
    }

    /// Serves the worker of the suite as a function behind `front`.
    pub(super) fn function(front: Front) -> RunningHost {
        RunningHost::start(Some(front), move |ports, clock, stop| {
            let shared: Arc<dyn Clock> = Arc::new(clock);
            let worker = http_registry().workers()[0].clone();
            let host = LambdaHost::new(worker, None, ports.throttle, shared.clone(), stop.clone());
            let host = Arc::new(host.serving_routes(ports.rate_limits).unwrap());
            let now = shared.clone();
            let function: GatewayFunction = Arc::new(move |event| {
                let (host, deadline) = (host.clone(), after(now.now(), Duration::from_secs(30)));
                async move { host.handle(event, deadline).await.map_err(|error| error.to_string()) }.boxed()
            });
            move |listener| {
                let stopped = until_set(stop);
                async move { serve_gateway(listener, front, function, shared, stopped).await.unwrap() }.boxed()
            }
        })
    }

    fn start<B, R>(front: Option<Front>, build: B) -> RunningHost
    where
        B: FnOnce(HttpPorts, SkippingClock, StopSignal) -> R + Send + 'static,
        R: FnOnce(TcpListener) -> BoxFuture<'static, ()>,
    {
        let (clock, stop) = (SkippingClock::default(), StopSignal::default());
        let embedded = Embedded::in_memory(Arc::new(clock.clone())).unwrap();
        let throttle: Arc<dyn Throttle> = embedded.throttle();
        let rate_limits = Some(embedded.rate_limits().unwrap() as _);
        let ports = HttpPorts { throttle: throttle.clone(), rate_limits, clock: Arc::new(clock.clone()) };
        let (sender, receiver) = mpsc::channel();
        let (its_clock, its_stop) = (clock.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                build(ports, its_clock, its_stop)(listener).await;
            });
        });
        let address = receiver.recv().unwrap();
        RunningHost { address, stop, throttle, clock, front, thread: Some(thread) }
    }

    /// Opens a connection.
    pub(super) fn connect(&self) -> HttpClient {
        HttpClient::connect(self.address, "").unwrap()
    }

    /// Stops the host, and waits until it has drained.
    pub(super) fn stop(&mut self) {
        self.stop.set();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for RunningHost {
    fn drop(&mut self) {
        self.stop.set();
    }
}

impl HttpWorld for RunningHost {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn prefix(&self) -> &str {
        match self.front {
            Some(Front::Gateway { stage: "v1" }) => "/v1",
            _ => "",
        }
    }

    fn is_function(&self) -> bool {
        self.front.is_some()
    }

    fn keeps_encoded_slashes(&self) -> bool {
        !matches!(self.front, Some(Front::Gateway { .. }))
    }

    fn throttle(&self) -> Arc<dyn Throttle> {
        self.throttle.clone()
    }

    fn skip(&self, time: Duration) {
        self.clock.skip(time);
    }
}

async fn until_set(stop: StopSignal) {
    while !stop.is_set() {
        SystemClock.sleep(Duration::from_millis(20)).await;
    }
}
