use bytes::Bytes;
use std::time::Duration;
use std::time::Instant;
use stint_core::points::Points;
use stint_standins::{Upstream, WarcraftLogs, warcraftlogs::Options};
fn main() {
    let started = jiff::Timestamp::UNIX_EPOCH;
    let t = Instant::now();
    let mut up = WarcraftLogs::new(Options::with_keys(
        1,
        1_000_000,
        &[Points::whole(1_000_000_000)],
        Duration::from_secs(3600),
        started,
    ));
    let pop = up.population();
    let ids = pop.discoverable(&Options::all_rankings());
    println!("discoverable {:?} {}", t.elapsed(), ids.len());
    let t = Instant::now();
    println!("rows {} {:?}", pop.rows(26, 4), t.elapsed());
    let form = http::Request::post("/oauth/token")
        .body(Bytes::from_static(b"grant_type=client_credentials&client_id=key-1&client_secret=secret-1"))
        .unwrap();
    let token: serde_json::Value = serde_json::from_slice(up.handle(started, &form).response.body()).unwrap();
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let mut requests = Vec::new();
    for chunk in ids[..20_000].chunks(5) {
        let mut q =
            String::from("query { rateLimitData { limitPerHour pointsSpentThisHour pointsResetIn } characterData {");
        for id in chunk {
            q += &format!(
                " c{id}: character(id: {id}) {{ id canonicalID name classID hidden server {{ name slug normalizedName region {{ compactName }} }}"
            );
            for (r, d) in pop.pairs_of(*id) {
                q +=
                    &format!(" z{r}_{d}: zoneRankings(zoneID: {r}, difficulty: {d}, compare: Parses, byBracket: true)");
            }
            q += " }";
        }
        q += " } }";
        requests.push(
            http::Request::post("/api/v2/client")
                .header("Authorization", &bearer)
                .body(Bytes::from(serde_json::json!({"query": q}).to_string()))
                .unwrap(),
        );
    }
    let t = Instant::now();
    let mut bytes = 0;
    for r in &requests {
        bytes += up.handle(started, r).response.body().len();
    }
    let e = t.elapsed();
    println!(
        "20000 players: {e:?}, {:.2} us/player, {} bytes/player, charged {}",
        e.as_micros() as f64 / 20000.0,
        bytes / 20000,
        up.books().charged
    );
    let t = Instant::now();
    for r in &requests {
        let v: serde_json::Value = serde_json::from_slice(r.body()).unwrap();
        let d = graphql_parser::parse_query::<&str>(v["query"].as_str().unwrap()).unwrap();
        bytes += d.definitions.len();
    }
    println!("parse alone {:.2} us/player", t.elapsed().as_micros() as f64 / 20000.0);
    let t = Instant::now();
    for n in 1..200 {
        let r = http::Request::get(format!(
            "/zone/rankings/table/26/playerspeed/-1/4/10/5/Any/Any/0/0/0/0/0/?search=&page={n}"
        ))
        .header("Referer", "x")
        .body(Bytes::new())
        .unwrap();
        bytes += up.handle(started, &r).response.body().len();
    }
    println!("page {:?}", t.elapsed() / 200);
}
