//! Connects a client to a stand-in: in process on virtual time, or over real sockets.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Uri;
use secrecy::SecretString;
use stint_core::clock::{Clock, ManualClock};
use stint_host::SystemClock;
use stint_http::{
    Body, Client, HttpError, LimitOptions, RequestLimits, ReqwestTransport, RetryPolicy, TokenSource, Transport,
};
use stint_standins::poe_stashes::Options;
use stint_standins::{InProcess, PoeStashes, serve};

use super::client::USER_AGENT;

/// A client and a stand-in.
pub(super) struct Network {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) upstream: Arc<Mutex<PoeStashes>>,
    client: Client,
    tokens: TokenSource,
    base: String,
}

impl Network {
    pub(super) fn in_process(options: Options) -> (Network, ManualClock) {
        let clock = ManualClock::new(options.started);
        let upstream = Arc::new(Mutex::new(PoeStashes::new(options)));
        let transport = InProcess::new(upstream.clone(), Arc::new(clock.clone())).with_user_agent(USER_AGENT);
        let base = "https://api.example".to_owned();
        (Network::new(transport, Arc::new(clock.clone()), upstream, base), clock)
    }

    /// Serves until the runtime ends.
    pub(super) async fn over_sockets(options: Options) -> Network {
        let clock = Arc::new(SystemClock);
        let upstream = Arc::new(Mutex::new(PoeStashes::new(Options { started: clock.now(), ..options })));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(serve(upstream.clone(), clock.clone(), listener, std::future::pending()));
        Network::new(ReqwestTransport::new(USER_AGENT).expect("a transport"), clock, upstream, base)
    }

    fn new(
        transport: impl Transport + 'static,
        clock: Arc<dyn Clock>,
        upstream: Arc<Mutex<PoeStashes>>,
        base: String,
    ) -> Network {
        let client = Client::with_limits(Arc::new(transport), clock.clone(), LimitOptions::default());
        let url: Uri = format!("{base}/oauth/token").parse().expect("an address");
        let tokens = TokenSource::new(client.clone(), url, "stand-in", SecretString::from("secret"));
        let tokens = tokens.with_secret_in_body().with_scope("service:psapi");
        Network { clock, upstream, client, tokens, base }
    }

    /// Requests a page once, and returns the next id and the body.
    pub(super) async fn open(&self, id: &str, limits: RequestLimits) -> Result<(String, Body), HttpError> {
        let policy = RetryPolicy { operation: "page", attempts: 1, limits, ..RetryPolicy::PAGE };
        let request = http::Request::get(format!("{}/public-stash-tabs?id={id}", self.base)).body(Bytes::new());
        let answer =
            self.client.open_authorized(request.expect("a request"), &self.tokens, &policy).await?.success()?;
        let next = answer.headers["x-next-change-id"].to_str().expect("text").to_owned();
        Ok((next, answer.body))
    }
}
