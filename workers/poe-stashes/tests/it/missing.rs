//! Pages whose body does not arrive: they are requested again, and nothing else waits for them.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use stint_core::ports::{PortError, PortResult};
use stint_http::{Body, RequestLimits, Transport, TransportError};
use stint_poe_stashes::model::ChangeId;
use stint_poe_stashes::store::{PageKey, PageStream, Pages, Put, Upload};
use stint_standins::poe_stashes::{Faults, Options};

use crate::world::{World, busy_river, run_scenario};

/// A transport on which the body of the third page never arrives, and later requests for it are answered with `status`.
struct FailingThirdPage {
    inner: std::sync::Arc<dyn Transport>,
    status: StatusCode,
    seen: Mutex<Vec<String>>,
}

impl FailingThirdPage {
    /// Returns how often this page was requested, if it is the third one.
    fn count(&self, page: &str) -> Option<usize> {
        let mut seen = self.seen.lock().unwrap();
        seen.push(page.to_owned());
        let third = seen.get(2)?;
        (third == page).then(|| seen.iter().filter(|seen| *seen == page).count())
    }
}

#[async_trait]
impl Transport for FailingThirdPage {
    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: RequestLimits,
    ) -> Result<http::Response<Body>, TransportError> {
        let page = request.uri().query().map(str::to_owned);
        let tries = page.and_then(|page| self.count(&page));
        let (head, body) = self.inner.open(request, limits).await?.into_parts();
        let Some(tries) = tries else { return Ok(http::Response::from_parts(head, body)) };
        let cut = || TransportError::Broken { host: "river".into(), reason: "cut".into() };
        let mut answer = http::Response::from_parts(head, body);
        if tries == 1 {
            *answer.body_mut() = Body::new(futures::stream::iter([Err(cut())]), "river".into(), limits.max_body);
        } else {
            *answer.status_mut() = self.status;
        }
        Ok(answer)
    }
}

fn failing_third_page(seed: u64, status: u16, flags: &[&str]) -> World {
    let status = StatusCode::from_u16(status).unwrap();
    World::with(busy_river(seed), flags, |inner| {
        std::sync::Arc::new(FailingThirdPage { inner, status, seen: Mutex::default() })
    })
}

#[test]
fn a_page_that_always_fails_keeps_nothing_else_waiting() {
    let world = failing_third_page(1, 500, &[]);
    run_scenario(&world, async {
        let (process, begun) = (world.start(), stint_core::clock::Clock::now(&world.clock));
        let took = stint_core::clock::between(begun, process.run_until_fetched(600).await);
        // At two requests a second.
        assert!((295..330).contains(&took.as_secs()), "{took:?}");
        let progress = world.progress().await;
        assert_eq!((progress.open.len(), progress.totals.lost), (1, 0));
        assert_eq!(progress.totals.stored, progress.totals.fetched - 1);
        assert_eq!(progress.stopped, None);
    });
}

#[test]
fn a_refused_page_is_given_up_and_the_chain_continues() {
    for (status, flags) in [(403, &[][..]), (404, &["--poe-open-pages=1"]), (410, &[])] {
        let world = failing_third_page(2, status, flags);
        run_scenario(&world, async {
            world.start().fetch(100).await;
            let progress = world.progress().await;
            assert_eq!((progress.open.len(), progress.totals.lost, progress.totals.stored), (0, 1, 99));
            assert!(progress.lost[0].reason.contains(&status.to_string()), "{:?}", progress.lost);
            assert_eq!((progress.stopped, progress.totals.client_errors), (None, 2));
        });
    }
}

/// A page is missing when the client is refused: that is not about the page.
#[test]
fn a_refused_client_loses_no_page() {
    let river = Options { faults: Faults { cut: 500, ..Faults::default() }, ..busy_river(5) };
    let world = World::new(river, &[]);
    run_scenario(&world, async {
        world
            .start()
            .run_while(async {
                world.pass(std::time::Duration::from_secs(60)).await;
                world.upstream().ban();
                world.pass(std::time::Duration::from_secs(60)).await;
            })
            .await;
        let progress = world.progress().await;
        assert!(progress.stopped.is_some() && !progress.open.is_empty(), "{progress:?}");
        assert_eq!(progress.totals.lost, 0);
        assert!(world.counters().client_errors <= 2, "{}", world.counters().client_errors);
    });
}

/// A page is cut when a maintenance begins, which ends with an answer that is not a page: one answer is not ten.
#[test]
fn requests_that_fail_do_not_count_as_answers_that_are_no_page() {
    let faults = Faults { cut: 300, unavailable: 600, ..Faults::default() };
    let world = World::new(Options { faults, ..busy_river(6) }, &[]);
    run_scenario(&world, async {
        world.start().run_while(world.pass(std::time::Duration::from_secs(3_600))).await;
        let progress = world.progress().await;
        assert!(progress.totals.stored > 20, "{:?}", progress.totals);
        assert_eq!((progress.totals.lost, progress.stopped), (0, None));
    });
}

/// An earlier follower was allowed more open pages than this one.
#[test]
fn more_open_pages_than_may_stream_are_taken_over_one_after_the_other() {
    let faults = Faults { cut: 1000, ..Faults::default() };
    let mut world = World::new(Options { faults, bytes_per_second: Some(2_000), ..busy_river(7) }, &[]);
    run_scenario(&world, async {
        world.start().run_while(world.pass(std::time::Duration::from_secs(60))).await;
        let open = world.progress().await.open.len();
        assert_eq!(open, 16);
    });
    world.settings.poe_open_pages = 2;
    world.upstream().set_faults(Faults::default());
    run_scenario(&world, async {
        world.start().fetch(5).await;
        world.assert_whole(ChangeId::BEGINNING).await;
    });
}

#[test]
fn when_no_body_arrives_the_chain_waits_with_as_many_pages_open_as_may_stream() {
    let faults = Faults { cut: 1000, ..Faults::default() };
    let world = World::new(Options { faults, ..busy_river(3) }, &["--poe-open-pages=4"]);
    run_scenario(&world, async {
        world.start().run_while(world.pass(std::time::Duration::from_secs(300))).await;
        let progress = world.progress().await;
        assert_eq!((progress.open.len(), progress.totals.fetched, progress.totals.stored), (4, 4, 0));
        let requests = world.counters().page_requests;
        assert!((40..120).contains(&requests), "each is asked for every 30 seconds: {requests}");
    });
}

/// A store of pages of which one write fails.
struct Failing {
    pages: std::sync::Arc<dyn Pages>,
    fails: Mutex<Option<ChangeId>>,
}

#[async_trait]
impl Pages for Failing {
    async fn begin(&self, key: PageKey) -> PortResult<Box<dyn Upload>> {
        let upload = self.pages.begin(key).await?;
        let fails = {
            let mut fails = self.fails.lock().unwrap();
            let due = *fails == Some(key.id);
            due.then(|| fails.take()).is_some()
        };
        Ok(if fails { Box::new(FailingUpload(upload)) } else { upload })
    }

    async fn read(&self, key: PageKey) -> PortResult<Option<PageStream>> {
        self.pages.read(key).await
    }
}

struct FailingUpload(Box<dyn Upload>);

#[async_trait]
impl Upload for FailingUpload {
    async fn write(&mut self, bytes: Bytes) -> PortResult<()> {
        self.0.write(bytes).await
    }

    async fn commit(self: Box<Self>) -> PortResult<Put> {
        Err(PortError::backend("could not store a page", "the disk is full"))
    }

    async fn abort(self: Box<Self>) {
        self.0.abort().await;
    }
}

/// Bodies of two and a half seconds, of which five stream when one of them cannot be stored.
#[test]
fn a_store_that_fails_for_one_page_costs_no_other_its_body() {
    let river = Options {
        stashes_per_page: 100,
        items_per_stash: (60, 75),
        edits_per_second: 300,
        stashes: 500,
        unlisted: 0,
        bytes_per_second: Some(2_000_000),
        ..busy_river(4)
    };
    let mut world = World::new(river, &[]);
    let failing = std::sync::Arc::new(Failing { pages: world.stores.pages.clone(), fails: Mutex::new(None) });
    world.stores.pages = failing.clone();
    run_scenario(&world, async {
        world.start().fetch(1).await;
        *failing.fails.lock().unwrap() = world.progress().await.position;
        let error = world.start().follow(20).await.unwrap_err();
        assert!(error.to_string().contains("the disk is full"), "{error}");
        let progress = world.progress().await;
        assert_eq!(progress.open.len(), 1, "only the one that could not be stored");
        assert!(progress.totals.stored >= 4 && progress.totals.fetched == progress.totals.stored + 1);
        world.start().fetch(20).await;
        world.assert_whole(ChangeId::BEGINNING).await;
        let served = world.counters().page_requests;
        assert_eq!(served, world.progress().await.totals.fetched + 1, "one page was asked for twice");
    });
}
