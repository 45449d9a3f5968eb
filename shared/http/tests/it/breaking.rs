//! Real sockets send answers whose head arrives and whose body breaks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use secrecy::SecretString;
use stint_core::clock::ManualClock;
use stint_http::{
    Client, HttpError, HttpResponse, LimitOptions, RequestLimits, ReqwestTransport, RetryPolicy, StreamingResponse,
    TokenSource, TransportError,
};

use crate::loopback::{LIMITS, hang, serve, serve_all, write};
use crate::scripted::start;

const ONCE: RetryPolicy = RetryPolicy { attempts: 1, rate_limit_waits: 0, limits: LIMITS, ..RetryPolicy::PAGE };

/// How a body goes on after its beginning, and which length is announced.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Cut,
    /// Nothing more is sent, and the connection stays open.
    Silent,
    TooLong,
    Endless,
}

/// Serves one answer of `status` that announces limits, begins with "half of" and ends as `ending` says.
fn serve_half(status: u16, ending: Ending) -> SocketAddr {
    let length = match ending {
        Ending::Cut | Ending::Silent => "content-length: 100\r\n",
        Ending::TooLong => "content-length: 99999999999\r\n",
        Ending::Endless => "",
    };
    let rules = "x-rate-limit-policy: pages\r\nx-rate-limit-rules: ip\r\nx-rate-limit-ip: 2:1:60\r\n";
    let answer = format!("HTTP/1.1 {status} Said\r\n{rules}retry-after: 120\r\n{length}\r\nhalf of");
    let (address, _) = serve(move |stream| {
        write(stream, answer.as_bytes());
        match ending {
            Ending::Cut => {}
            Ending::Silent | Ending::TooLong => hang(stream),
            Ending::Endless => while write(stream, &[b' '; 64 * 1024]) {},
        }
    });
    address
}

/// A client on a clock that stands still, so that nothing may wait.
fn client() -> Client {
    let transport = ReqwestTransport::new("stint/0").expect("transport");
    let options = LimitOptions { unannounced_interval: Duration::ZERO, ..LimitOptions::default() };
    Client::with_limits(Arc::new(transport), Arc::new(ManualClock::new(start())), options)
}

fn request(address: SocketAddr) -> http::Request<Bytes> {
    http::Request::get(format!("http://{address}/pages")).body(Bytes::new()).expect("request")
}

/// Requests such an answer in both ways and returns the results. In both, the client must have learned what the head
/// says.
async fn ask(status: u16, ending: Ending, policy: &RetryPolicy) -> [Result<Bytes, HttpError>; 2] {
    let mut outcomes = Vec::new();
    for whole in [true, false] {
        let (address, client) = (serve_half(status, ending), client());
        outcomes.push(if whole {
            client.send(request(address), policy).await.and_then(HttpResponse::success).map(|answer| answer.body)
        } else {
            match client.open(request(address), policy).await.and_then(StreamingResponse::success) {
                Ok(answer) => answer.body.collect().await.map_err(HttpError::from),
                Err(error) => Err(error),
            }
        });
        let limits = client.limits().expect("limits");
        let told = limits.limits_of(request(address).uri()).expect("the limits of the head");
        assert_eq!(told.rules[0].windows[0].max_hits, 2);
        let (counts, refused) = (limits.counts(), (400..500).contains(&status));
        assert_eq!((counts.client_errors, counts.refusals), (u64::from(refused), u64::from(status == 429)));
    }
    outcomes.try_into().expect("two")
}

#[tokio::test]
async fn a_refusal_is_one_whatever_becomes_of_its_body() {
    let hasty = RetryPolicy { limits: RequestLimits { timeout: Duration::from_millis(300), ..LIMITS }, ..ONCE };
    for (ending, policy) in
        [(Ending::Cut, ONCE), (Ending::TooLong, ONCE), (Ending::Endless, ONCE), (Ending::Silent, hasty)]
    {
        for status in [403, 404, 503] {
            for outcome in ask(status, ending, &policy).await {
                let error = outcome.expect_err("no success");
                let HttpError::Status { status: said, excerpt, .. } = &error else { panic!("{ending:?}: {error}") };
                assert_eq!(said.as_u16(), status);
                let beginning = if matches!(ending, Ending::TooLong) { "(empty body)" } else { "half of" };
                assert_eq!(excerpt, beginning, "{ending:?}");
            }
        }
        for outcome in ask(429, ending, &policy).await {
            let error = outcome.expect_err("no success");
            let limited = error.rate_limited().unwrap_or_else(|| panic!("{ending:?}: {error}"));
            assert_eq!(limited.retry_after, Some(Duration::from_secs(120)));
        }
    }
}

/// It is unknown whether the request was done, so it may have been billed.
#[tokio::test]
async fn a_success_that_breaks_off_is_a_fault_that_may_be_billed() {
    for outcome in ask(200, Ending::Cut, &RetryPolicy { attempts: 4, ..RetryPolicy::QUERY }).await {
        let error = outcome.expect_err("half an answer");
        assert!(matches!(error, HttpError::Transport(TransportError::Broken { .. })), "{error}");
        assert!(error.may_be_billed());
    }
    for outcome in ask(200, Ending::TooLong, &ONCE).await {
        let error = outcome.expect_err("half an answer");
        assert!(matches!(error, HttpError::Transport(TransportError::TooLarge { .. })), "{error}");
    }
}

#[tokio::test]
async fn a_401_that_breaks_off_renews_the_token() {
    let token = |token: &str| {
        let body = format!(r#"{{"access_token":"{token}"}}"#);
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let refused = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 100\r\n\r\nhalf of";
    let page = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\npage";
    let (address, heads) = serve_all([token("a"), refused.to_owned(), token("b"), page.to_owned()]);
    let client = client();
    let url: Uri = format!("http://{address}/token").parse().expect("an address");
    let tokens = TokenSource::new(client.clone(), url, "key-1", SecretString::from("hunter2"));
    let answer = client.authorized(request(address), &tokens, &ONCE).await.expect("an answer");
    assert_eq!(answer.body, "page");
    let asked: Vec<String> = heads.iter().filter(|head| head.starts_with("get /pages")).collect();
    assert!(asked[0].contains("authorization: bearer a\r\n") && asked[1].contains("authorization: bearer b\r\n"));
}
