use http::{Response, StatusCode};
use stint_standins::poe_stashes::{Faults, Options, Window};

use super::client::{Client, FORM, short};

fn header<'a>(answer: &'a Response<bytes::Bytes>, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().expect("text"))
}

#[test]
fn every_answer_announces_limits_and_counts() {
    let mut client = Client::new(Options { windows: vec![Window::of(2, 1, 60), Window::of(30, 300, 600)], ..short() });
    let answer = client.get("/public-stash-tabs");
    assert_eq!(header(&answer, "x-rate-limit-policy"), "public-stash-tabs-request-limit-pc");
    assert_eq!(header(&answer, "x-rate-limit-rules"), "Ip");
    assert_eq!(header(&answer, "x-rate-limit-ip"), "2:1:60,30:300:600");
    assert_eq!(header(&answer, "x-rate-limit-ip-state"), "1:1:0,1:300:0");
    assert_eq!(header(&answer, "retry-after"), "");
    client.token = "made up".to_owned();
    let answer = client.get("/public-stash-tabs");
    assert_eq!(
        (answer.status(), header(&answer, "x-rate-limit-ip-state")),
        (StatusCode::UNAUTHORIZED, "2:1:0,2:300:0")
    );
}

#[test]
fn a_request_over_the_limit_blocks_all_for_a_while() {
    let mut client = Client::new(short());
    let statuses = [(); 3].map(|()| client.get("/public-stash-tabs").status().as_u16());
    assert_eq!(statuses, [200, 200, 429]);
    client.pass(59);
    let answer = client.get("/public-stash-tabs");
    assert_eq!((answer.status().as_u16(), header(&answer, "retry-after")), (429, "1"));
    client.pass(1);
    assert_eq!(client.get("/public-stash-tabs").status(), StatusCode::OK);
    let counters = client.upstream.counters();
    assert_eq!((counters.page_requests, counters.refused, counters.client_errors, counters.banned), (5, 2, 2, false));
}

#[test]
fn client_errors_of_every_kind_end_in_a_ban_for_good() {
    let mut client = Client::new(Options { ban_after: 5, ..short() });
    (0..3).for_each(|_| drop(client.get("/nowhere")));
    (0..2).for_each(|_| drop(client.post("/oauth/token", "grant_type=password")));
    assert!(client.upstream.counters().banned);
    client.pass(1_000_000);
    assert_eq!(client.get("/public-stash-tabs").status(), StatusCode::FORBIDDEN);
    assert_eq!(client.post("/oauth/token", FORM).status(), StatusCode::FORBIDDEN);
    assert_eq!(client.upstream.counters().client_errors, 7);
}

#[test]
fn faults_have_their_chances_and_the_cdn_announces_no_limits() {
    let faults = Faults { bad_gateway: 100, unavailable: 200, cut: 300 };
    let mut client = Client::new(Options { windows: vec![Window::of(10_000, 1, 60)], faults, ..short() });
    let mut seen = [0; 3];
    for _ in 0..2_000 {
        let reply = client.handle(client.request("/public-stash-tabs"));
        match reply.response.status().as_u16() {
            502 => {
                seen[0] += 1;
                assert_eq!(header(&reply.response, "x-rate-limit-ip"), "");
            }
            503 => {
                seen[1] += 1;
                assert_ne!(header(&reply.response, "x-rate-limit-ip"), "");
            }
            _ if reply.transfer.cut_after.is_some() => seen[2] += 1,
            status => assert_eq!(status, 200),
        }
    }
    assert!(
        (150..250).contains(&seen[0]) && (330..470).contains(&seen[1]) && (520..680).contains(&seen[2]),
        "{seen:?}"
    );
    let counters = client.upstream.counters();
    assert_eq!((counters.failed, counters.client_errors), (seen[0] + seen[1], 0));
    assert_eq!(counters.pages.iter().filter(|page| page.cut).count() as u64, seen[2]);
}
