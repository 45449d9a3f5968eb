//! Connections to the stand-in: ranking pages without HTML, and the API in process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use stint_core::clock::{Clock, after};
use stint_http::{Body, RequestLimits, Transport, TransportError};
use stint_simulation::{Fault, Faults, Random};
use stint_standins::warcraftlogs::Population;
use stint_warcraftlogs::discovery::{PageResult, PlayerSource, SourceError};
use stint_warcraftlogs::store::{Claim, Pass};

/// If that fault is requested: the share of calls, in thousandths, for which a key that has points is refused, and for
/// how long it is refused.
const REFUSALS: u32 = 1;
const REFUSED_FOR: (Duration, Duration) = (Duration::from_secs(120), Duration::from_secs(900));

/// Returns ranking pages directly from the population, at the pace that the site permits.
pub(super) struct RankingSource {
    population: Arc<Population>,
    clock: Arc<dyn Clock>,
    interval: Duration,
    free_from: Mutex<Timestamp>,
}

impl RankingSource {
    pub(super) fn new(population: Arc<Population>, clock: Arc<dyn Clock>, interval: Duration) -> RankingSource {
        let free_from = Mutex::new(clock.now());
        RankingSource { population, clock, interval, free_from }
    }
}

#[async_trait]
impl PlayerSource for RankingSource {
    async fn page(&self, Claim { rule, .. }: &Claim, _pass: &Pass, page: u32) -> Result<PageResult, SourceError> {
        let turn = {
            let mut free_from = self.free_from.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = self.clock.now().max(*free_from);
            *free_from = after(turn, self.interval);
            turn
        };
        self.clock.sleep_until(turn).await;
        let ids = self.population.ranking_page(rule.raid, rule.difficulty, page);
        Ok(ids.map_or(PageResult::PastTheEnd { sample: None }, PageResult::players))
    }

    fn upstream(&self) -> String {
        "the ranking pages".to_owned()
    }

    fn span(&self, _claim: &Claim, _pass: &Pass) -> Option<Duration> {
        None
    }
}

/// A transport to the API that sometimes refuses a key as if its points were used up.
pub(super) struct FaultyTransport {
    inner: Arc<dyn Transport>,
    random: Random,
    faults: Faults,
}

impl FaultyTransport {
    pub(super) fn new(inner: Arc<dyn Transport>, seed: u64, faults: &Faults) -> FaultyTransport {
        FaultyTransport { inner, random: Random::new(seed, "refusals"), faults: faults.clone() }
    }
}

#[async_trait]
impl Transport for FaultyTransport {
    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: RequestLimits,
    ) -> Result<http::Response<Body>, TransportError> {
        if self.faults.happens(Fault::PointRefusals, REFUSALS, &self.random) {
            let mut refusal = http::Response::new(Body::whole(Bytes::from_static(b"{\"status\":429}")));
            *refusal.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
            refusal.headers_mut().insert(http::header::RETRY_AFTER, self.random.within(REFUSED_FOR).as_secs().into());
            return Ok(refusal);
        }
        self.inner.open(request, limits).await
    }
}
