//! The stand-in behind the two transports: bodies that take their time, end early, or are compressed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use http::Uri;
use secrecy::SecretString;
use stint_core::clock::{Clock, ManualClock, between};
use stint_host::SystemClock;
use stint_http::{
    Body, Client, HttpError, LimitOptions, Limits, ReqwestTransport, RetryPolicy, TokenSource, Transport,
    TransportError,
};
use stint_standins::poe_stashes::{Faults, Options, digest};
use stint_standins::{InProcess, PoeStashes, serve};
use stint_testkit::drive;

use super::client::{USER_AGENT, short};

const LIMITS: Limits = Limits { timeout: Duration::from_secs(30), max_body: 16 * 1024 * 1024 };

/// How a page is read here: nothing is repeated.
const PAGE: RetryPolicy = RetryPolicy { operation: "page", attempts: 1, limits: LIMITS, ..RetryPolicy::PAGE };

/// Pages of about a megabyte.
fn large() -> Options {
    Options { stashes_per_page: 400, items_per_stash: (3, 3), edits_per_second: 400, unlisted: 0, ..short() }
}

struct Network {
    clock: Arc<dyn Clock>,
    client: Client,
    tokens: TokenSource,
    base: String,
}

impl Network {
    fn new(transport: impl Transport + 'static, clock: Arc<dyn Clock>, base: String) -> Network {
        let client = Client::with_limits(Arc::new(transport), clock.clone(), LimitOptions::default());
        let url: Uri = format!("{base}/oauth/token").parse().expect("an address");
        let tokens = TokenSource::new(client.clone(), url, "stand-in", SecretString::from("secret"));
        Network { clock, client, tokens: tokens.with_secret_in_body().with_scope("service:psapi"), base }
    }

    fn in_process(options: Options) -> (Network, ManualClock, Arc<Mutex<PoeStashes>>) {
        let clock = ManualClock::new(options.started);
        let upstream = Arc::new(Mutex::new(PoeStashes::new(options)));
        let transport = InProcess::new(upstream.clone(), Arc::new(clock.clone())).with_user_agent(USER_AGENT);
        let network = Network::new(transport, Arc::new(clock.clone()), "https://api.example".to_owned());
        (network, clock, upstream)
    }

    async fn open(&self, id: &str) -> Result<(String, Body), HttpError> {
        let request = http::Request::get(format!("{}/public-stash-tabs?id={id}", self.base)).body(Bytes::new());
        let answer = self.client.open_authorized(request.expect("a request"), &self.tokens, &PAGE).await?.success()?;
        let next = answer.headers["x-next-change-id"].to_str().expect("text").to_owned();
        Ok((next, answer.body))
    }
}

#[test]
fn the_next_page_is_asked_for_while_the_last_one_streams() {
    let (network, clock, upstream) =
        Network::in_process(Options { bytes_per_second: Some(500_000), ..large().instant() });
    drive(&clock, async {
        let (next, first) = network.open("0").await.expect("a page");
        let (_, second) = network.open(&next).await.expect("a page");
        let began = network.clock.now();
        let (first, second) = futures::join!(first.collect(), second.collect());
        let (first, second) = (first.expect("a body"), second.expect("a body"));
        let longest = Duration::from_secs_f64(first.len().max(second.len()) as f64 / 500_000.0);
        let passed = between(began, network.clock.now());
        assert!(passed <= longest + Duration::from_millis(100) && passed >= longest / 2, "{passed:?} {longest:?}");
        let served = upstream.lock().expect("unpoisoned").books().pages;
        assert_eq!([digest(&first), digest(&second)], [served[0].digest, served[1].digest]);
    });
}

#[test]
fn a_cut_body_ends_with_an_error_and_a_slow_one_with_the_time() {
    let faults = Faults { cut: 1000, ..Faults::default() };
    let (network, clock, _) = Network::in_process(Options { faults, ..large().instant() });
    drive(&clock, async {
        let (_, body) = network.open("0").await.expect("a head");
        let error = body.collect().await.expect_err("cut");
        assert!(matches!(error, TransportError::Broken { .. }), "{error}");
    });
    let (network, clock, _) = Network::in_process(Options { bytes_per_second: Some(10_000), ..large().instant() });
    drive(&clock, async {
        let (_, mut body) = network.open("0").await.expect("a head");
        assert!(matches!(body.next().await, Some(Ok(_))));
        let error = body.try_for_each(|_| async { Ok(()) }).await.expect_err("too slow");
        assert!(matches!(error, TransportError::TimedOut { .. }), "{error}");
        assert!(between(Options::default().started, network.clock.now()) <= LIMITS.timeout + Duration::from_millis(50));
    });
}

#[test]
fn ten_thousand_pages_at_the_limit_without_a_gap_or_an_error() {
    let options = Options {
        edits_per_second: 4,
        stashes_per_page: 3,
        history: Duration::from_secs(5_000),
        items_per_stash: (0, 1),
        ..Options::default()
    };
    let (network, clock, upstream) = Network::in_process(options);
    let began = clock.now();
    drive(&clock, async {
        let mut id = "0".to_owned();
        for _ in 0..10_000 {
            id = network.open(&id).await.expect("a page").0;
        }
    });
    let books = upstream.lock().expect("unpoisoned").books();
    assert_eq!((books.client_errors, books.failed, books.pages.len()), (0, 0, 10_000));
    assert!(books.pages.windows(2).all(|two| two[1].change_id == two[0].next_change_id));
    let utilisation = 10_000.0 / (2.0 * between(began, clock.now()).as_secs_f64());
    assert!(utilisation >= 0.98, "{utilisation}");
}

/// The same over real sockets: compressed, slow, and cut.
#[tokio::test]
async fn real_sockets_compress_and_cut_and_take_their_time() {
    for (bytes_per_second, cut) in [(None, 0), (Some(400_000), 0), (None, 1000), (Some(400_000), 1000)] {
        let faults = Faults { cut, ..Faults::default() };
        let started = SystemClock.now();
        let upstream = PoeStashes::new(Options { started, bytes_per_second, faults, ..large().instant() });
        let upstream = Arc::new(Mutex::new(upstream));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let clock = Arc::new(SystemClock);
        let serving =
            tokio::spawn(serve(upstream.clone(), clock.clone(), listener, async move { drop(stopped.await) }));
        let network = Network::new(ReqwestTransport::new(USER_AGENT).expect("a transport"), clock, base);
        let began = network.clock.now();
        let (_, body) = network.open("0").await.expect("a head");
        let head_after = between(began, network.clock.now());
        let body = body.collect().await;
        let served = upstream.lock().expect("unpoisoned").books().pages;
        if cut > 0 {
            assert!(matches!(body, Err(TransportError::Broken { .. })), "{bytes_per_second:?}");
        } else {
            let body = body.expect("a body");
            assert_eq!((digest(&body), body.len() as u64), (served[0].digest, served[0].bytes));
            let passed = between(began, network.clock.now());
            assert!(bytes_per_second.is_none() || passed > head_after + Duration::from_millis(100), "{passed:?}");
        }
        drop(network);
        stop.send(()).expect("still serving");
        serving.await.expect("no panic").expect("no error");
    }
}
