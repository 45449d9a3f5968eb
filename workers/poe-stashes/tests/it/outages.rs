//! Outages of the upstream: requests stop, and afterwards the chain continues from its position.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use stint_core::clock::{Clock, after};
use stint_http::{Body, RequestLimits, Transport, TransportError};
use stint_poe_stashes::guard::PAGES_UPSTREAM;
use stint_poe_stashes::model::ChangeId;
use stint_standins::poe_stashes::Options;

use crate::world::{World, busy_river, run_scenario};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// How a connection fails.
#[derive(Clone, Copy, Debug)]
enum Form {
    Status(u16),
    Silence,
    NoConnection,
}

/// A transport to the river that fails while a form of failure is set.
struct FailingTransport {
    inner: Arc<dyn Transport>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    form: Option<Form>,
    /// Requests that failed.
    failed: usize,
}

#[async_trait]
impl Transport for FailingTransport {
    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: RequestLimits,
    ) -> Result<http::Response<Body>, TransportError> {
        let form = {
            let mut state = self.state.lock().unwrap();
            state.failed += usize::from(state.form.is_some());
            state.form
        };
        let host = String::from("river.invalid");
        let answer = |status, text: &'static str| {
            let mut answer = http::Response::new(Body::whole(Bytes::from_static(text.as_bytes())));
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            Ok(answer)
        };
        match form {
            None => self.inner.open(request, limits).await,
            Some(Form::Status(status)) => answer(status, "busy"),
            Some(Form::Silence) => Err(TransportError::TimedOut { host, timeout: limits.timeout }),
            Some(Form::NoConnection) => Err(TransportError::Unreachable { host, reason: "refused".into() }),
        }
    }
}

fn world(seed: u64) -> (World, Arc<Mutex<State>>) {
    let state = Arc::<Mutex<State>>::default();
    let river = Options { edits_per_second: 2, stashes: 500, ..busy_river(seed) };
    let world = World::with(river, &[], |inner| Arc::new(FailingTransport { inner, state: state.clone() }));
    (world, state)
}

#[test]
fn hours_of_every_failure_take_few_requests_and_the_chain_continues_after_them() {
    let forms = [(8, Form::Status(502)), (2, Form::Status(503)), (2, Form::Silence), (2, Form::NoConnection)];
    for (seed, (hours, form)) in (40..).zip(forms) {
        let (world, transport) = world(seed);
        run_scenario(&world, async {
            let mut before = 0;
            world
                .start()
                .run_while(async {
                    world.pass(Duration::from_secs(20)).await;
                    before = world.progress().await.totals.fetched;
                    transport.lock().unwrap().form = Some(form);
                    world.pass(HOUR * hours).await;
                    transport.lock().unwrap().form = None;
                })
                .await;
            let failed = transport.lock().unwrap().failed;
            assert!(failed < 30 + 4 * hours as usize, "{failed} requests in {hours} hours of {form:?}");
            let progress = world.progress().await;
            assert!(before > 0 && progress.stopped.is_none(), "{before} pages, {:?}", progress.stopped);
            assert!(!world.stores.breakers.load(PAGES_UPSTREAM).await.unwrap().1.is_closed(), "{form:?}");
            let back = world.clock.now();
            let fetched_at = world.start().run_until_fetched(before + 5).await;
            assert!(fetched_at <= after(back, Duration::from_secs(45 * 60)), "{form:?}: went on late");
            assert!(world.stores.breakers.load(PAGES_UPSTREAM).await.unwrap().1.is_closed(), "{form:?}");
            assert_eq!(world.progress().await.totals.lost, 0);
            world.assert_whole(ChangeId::BEGINNING).await;
            assert_eq!(world.stores.chain_queue.dead_letters(10).await.unwrap(), []);
        });
    }
}
