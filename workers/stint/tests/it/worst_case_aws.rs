//! The source document's own rule on AWS, to the letter: a refusal lowers the function's reserved concurrency by one and
//! fails, at 0 a wake-up is set, and the reviver sets `CONCURRENCY_LIMIT`.

use serde_json::{Value, json};
use stint_runtime_api::{InvokeError, Source};

use crate::cloud::Cloud;
use crate::lambda_aws::{VISIBILITY, deploy, lambda_fleet_with};
use crate::lambda_fleet::{LambdaFleet, Workers, run, tick};

/// No key has the points of the worst case.
const SETTINGS: [(&str, &str); 3] =
    [("BUDGET_STRATEGY", "worst-case"), ("CONCURRENCY_LIMIT", "2"), ("WCL_CALL_BUDGET", "5000")];

fn effective(fleet: &LambdaFleet) -> Value {
    let throttles: Value =
        serde_json::from_str(&fleet.stint(&["throttle", "show", "wcl/rank-fetcher", "--json"])).unwrap();
    throttles["workers"][0]["effective"].clone()
}

#[test]
fn a_refusal_lowers_the_reserved_concurrency_and_the_reviver_restores_it() {
    let Some(cloud) = Cloud::find() else { return };
    let fleet = lambda_fleet_with(&cloud, VISIBILITY, &SETTINGS);
    run(async {
        let emulator = &cloud.emulator;
        let source = deploy(&cloud, &fleet, VISIBILITY).await;
        let mapped = source.concurrency().await;
        emulator.reserve("warcraftlogs", "rank-fetcher", 2).await;
        fleet.add_rules("3");
        let workers = Workers::of(&fleet);
        while workers.discover.invoke(tick("discover")).await.unwrap()["rule"].is_string() {}
        workers.aggregator.invoke(tick("aggregator")).await.unwrap();
        for left in [1, 0] {
            let batch = json!({ "Records": source.receive(5).await });
            let refused = workers.rank_fetcher.invoke(batch).await;
            let Err(InvokeError::Failed(error)) = refused else { panic!("{refused:?}") };
            assert!(error.contains("points of the worst case left"), "{error}");
            assert_eq!(emulator.reserved("warcraftlogs", "rank-fetcher").await, Some(left));
            assert_eq!(effective(&fleet), left, "an operator sees the same");
        }
        let status: Value = serde_json::from_str(&fleet.stint(&["status", "--json"])).unwrap();
        let schedules = status["fleets"][0]["schedules"].as_array().unwrap();
        let wakeup = schedules.iter().find(|schedule| schedule["name"] == "revive-rank-fetcher");
        assert_eq!(wakeup.unwrap()["worker"], "warcraftlogs/reviver", "{schedules:#?}");
        workers.reviver.invoke(tick("reviver")).await.unwrap();
        assert_eq!(emulator.reserved("warcraftlogs", "rank-fetcher").await, Some(2), "CONCURRENCY_LIMIT");
        assert_eq!(source.concurrency().await, mapped, "the mapping was left as it was deployed");
        let counters: Value = fleet.upstream.counters();
        assert_eq!(counters["overspent"].as_f64(), Some(0.0), "{counters}");
        workers.terminate().await;
    });
}
