//! Headers and bodies that disagree, and bodies in other formats.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderValue;
use stint_http::{Body, RequestLimits, Transport, TransportError};
use stint_poe_stashes::look_ahead::HEADER;
use stint_poe_stashes::model::ChangeId;
use stint_standins::poe_stashes::Options;
use stint_testkit::FaultPlan;

use crate::world::{World, busy_river, run_scenario};

/// A change to an answer in transit.
type Rewrite = Box<dyn Fn(u64, &mut http::Response<Bytes>) + Send + Sync>;

/// A transport that changes the answers that contain pages.
struct RewritingTransport {
    inner: Arc<dyn Transport>,
    rewrite: Rewrite,
    pages: Mutex<u64>,
}

#[async_trait]
impl Transport for RewritingTransport {
    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: RequestLimits,
    ) -> Result<http::Response<Body>, TransportError> {
        let is_page = request.uri().path().starts_with("/public-stash-tabs");
        let (head, body) = self.inner.open(request, limits).await?.into_parts();
        if !is_page {
            return Ok(http::Response::from_parts(head, body));
        }
        let number = {
            let mut pages = self.pages.lock().unwrap();
            *pages += 1;
            *pages
        };
        let mut answer = http::Response::from_parts(head, body.collect().await?);
        (self.rewrite)(number, &mut answer);
        Ok(answer.map(Body::whole))
    }
}

fn world(options: Options, rewrite: impl Fn(u64, &mut http::Response<Bytes>) + Send + Sync + 'static) -> World {
    World::with(options, &[], |inner| {
        Arc::new(RewritingTransport { inner, rewrite: Box::new(rewrite), pages: Mutex::new(0) })
    })
}

fn next_of(answer: &http::Response<Bytes>) -> ChangeId {
    answer.headers()[HEADER].to_str().unwrap().parse().unwrap()
}

fn set_header(answer: &mut http::Response<Bytes>, id: ChangeId) {
    answer.headers_mut().insert(HEADER, HeaderValue::try_from(id.to_string()).unwrap());
}

#[test]
fn a_header_that_skips_pages_is_detected_and_the_chain_moves_back() {
    let world = world(busy_river(1), |number, answer| {
        if number == 10 {
            let shards = next_of(answer).shards().map(|counter| counter + 40);
            set_header(answer, ChangeId::new(shards));
        }
    });
    run_scenario(&world, async {
        world.start().fetch(40).await;
        let totals = world.progress().await.totals;
        assert_eq!(totals.disagreements, 1);
        assert!(totals.header >= 9 && totals.peek >= 25, "the header is trusted no more: {totals:?}");
        let audit = world.assert_whole(ChangeId::BEGINNING).await;
        assert!(audit.pages >= 35, "{audit:?}");
    });
}

#[test]
fn a_header_that_is_too_low_reads_pages_twice_and_skips_none() {
    let world = world(busy_river(2), |number, answer| {
        if number == 10 {
            let id = next_of(answer).back(3);
            set_header(answer, id);
        }
    });
    run_scenario(&world, async {
        world.start().fetch(40).await;
        assert_eq!(world.progress().await.totals.disagreements, 1);
        assert_eq!(world.counters().client_errors, 0);
        assert_eq!(world.progress().await.open, []);
    });
}

/// Follows a river whose header is always changed by `rewrite`. Returns how many pages were requested beyond those that
/// were fetched.
fn surplus_requests(seed: u64, rewrite: fn(ChangeId, ChangeId) -> ChangeId) -> u64 {
    let world = world(busy_river(seed), move |_, answer| {
        let page: stint_poe_stashes::model::page::Page<'_> = serde_json::from_slice(answer.body()).unwrap();
        let next = page.next_change_id;
        set_header(answer, rewrite(next, next_of(answer)));
    });
    run_scenario(&world, async {
        world.start().fetch(300).await;
        let (progress, counters) = (world.progress().await, world.counters());
        assert!(progress.totals.disagreements >= 300, "each one is reported: {:?}", progress.totals);
        assert!(progress.totals.header <= 1, "{:?}", progress.totals);
        assert_eq!(world.assert_whole(ChangeId::BEGINNING).await.gaps, Vec::<u64>::new());
        counters.page_requests - 300
    })
}

#[test]
fn a_header_that_is_always_wrong_is_used_once() {
    let further = |next: ChangeId, _| ChangeId::new(next.shards().map(|counter| counter + 40));
    assert!(surplus_requests(7, further) <= 2);
    assert!(surplus_requests(8, |next, _| next.back(9)) <= 2);
    assert!(surplus_requests(9, |_, _| ChangeId::BEGINNING) <= 2, "the first one leads to itself");
}

#[test]
fn a_header_that_was_wrong_is_used_again_after_a_thousand_pages() {
    let world = world(busy_river(10), |number, answer| {
        if number == 10 {
            let id = next_of(answer).back(3);
            set_header(answer, id);
        }
    });
    run_scenario(&world, async {
        world.start().run_until_fetched(1_100).await;
        let totals = world.progress().await.totals;
        assert_eq!(totals.disagreements, 1);
        assert!((950..=1_050).contains(&totals.peek), "{totals:?}");
        assert!(totals.header >= 50, "{totals:?}");
    });
}

/// As above, with a process that is killed at every second step around the wrong answer.
#[test]
fn a_header_that_skips_pages_leaves_no_gap_whenever_the_process_is_killed() {
    let kill_and_restart = |faults: &FaultPlan| {
        let world = world(busy_river(11), |number, answer| {
            if number == 3 {
                let shards = next_of(answer).shards().map(|counter| counter + 40);
                set_header(answer, ChangeId::new(shards));
            }
        });
        run_scenario(&world, async {
            faults.run(world.start_with(faults).follow(6)).await;
            let steps = faults.kill_points();
            world.pass(std::time::Duration::from_secs(40)).await;
            world.start().follow(8).await.unwrap();
            assert!(world.assert_whole(ChangeId::BEGINNING).await.pages >= 8);
            steps
        })
    };
    let kill_points = kill_and_restart(&FaultPlan::none());
    for step in (1..=kill_points).step_by(2) {
        kill_and_restart(&FaultPlan::kill_at(step));
    }
}

#[test]
fn an_invalid_header_is_ignored() {
    let world = world(busy_river(3), |_, answer| {
        answer.headers_mut().insert(HEADER, HeaderValue::from_static("3278697332-3203624673"));
    });
    run_scenario(&world, async {
        world.start().fetch(20).await;
        let totals = world.progress().await.totals;
        assert_eq!((totals.header, totals.peek, totals.disagreements), (0, 20, 0));
        assert_eq!(world.assert_whole(ChangeId::BEGINNING).await.pages, 20);
    });
}

#[test]
fn a_body_with_another_beginning_is_read_completely() {
    let river = Options { next_id_header: false, ..busy_river(4) };
    let world = world(river, |_, answer| {
        let mut body = b" ".to_vec();
        body.extend_from_slice(answer.body());
        *answer.body_mut() = body.into();
    });
    run_scenario(&world, async {
        world.start().fetch(20).await;
        let totals = world.progress().await.totals;
        assert_eq!((totals.header, totals.peek, totals.body, totals.stored), (0, 0, 20, 20));
    });
}

#[test]
fn an_answer_that_is_not_a_page_is_requested_again() {
    let world = world(busy_river(5), |number, answer| {
        if number == 3 {
            *answer.body_mut() = Bytes::from_static(b"<html>maintenance</html>");
        }
    });
    run_scenario(&world, async {
        world.start().fetch(20).await;
        let totals = world.progress().await.totals;
        assert_eq!((totals.cut, totals.lost, totals.stored), (1, 0, 20));
        assert_eq!(world.assert_whole(ChangeId::BEGINNING).await.pages, 20);
    });
}

#[test]
fn an_invalid_page_is_given_up_after_ten_tries() {
    let broken: Mutex<Option<ChangeId>> = Mutex::new(None);
    let world = world(busy_river(6), move |number, answer| {
        let mut broken = broken.lock().unwrap();
        let next = next_of(answer);
        if number == 3 {
            *broken = Some(next);
        }
        if *broken == Some(next) {
            *answer.body_mut() = Bytes::from_static(b"{}");
        }
    });
    run_scenario(&world, async {
        world.start().fetch(100).await;
        let progress = world.progress().await;
        assert_eq!((progress.totals.lost, progress.totals.cut, progress.totals.stored), (1, 9, 99));
        assert!(progress.lost[0].reason.contains("no valid next_change_id"), "{:?}", progress.lost);
    });
}
