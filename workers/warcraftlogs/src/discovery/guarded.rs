//! The site behind its circuit breaker: while it fails, or the API on the same host does, no page is asked for.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::lock::Mutex;
use stint_core::circuit::{self, CircuitSettings, Health, Intent, Wait};
use stint_http::Breaker;
use url::Url;

use super::{Found, PlayerSource, RankingPages, SourceError};
use crate::config::Settings;
use crate::store::{Claim, Pass};

/// The site's name among upstreams: of its breaker, in `status` and in metrics.
pub const SITE: &str = "warcraftlogs-site";

/// What reading a page may take: a discovery gives up one that takes longer than what is left of its invocation.
const LONGEST_PAGE: Duration = Duration::from_secs(15 * 60);

impl Settings {
    /// When the breaker of the site opens, and how long a probe may take.
    pub fn site_breaker(&self) -> CircuitSettings {
        CircuitSettings::for_calls_of(LONGEST_PAGE)
    }

    /// Whether the site and the API are one host, so that they are down together.
    pub fn has_one_host(&self) -> bool {
        let host = |url: &Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
        host(&self.wcl_site_url) == host(&self.wcl_api_url)
    }
}

/// Pages that are asked for only while the site is up. The next page is the probe.
///
/// A challenge on the site says nothing of the API, which is asked without a browser. An API that is down says something of
/// the site where both are one host: no page is asked for until it is back.
pub struct Guarded {
    pages: Arc<RankingPages>,
    site: Arc<Breaker>,
    api: Option<Arc<Breaker>>,
    /// Pages are read side by side. While one of them is the probe, the others wait for how it ends.
    probe: Mutex<()>,
}

impl Guarded {
    /// The pages `pages`, whose client is guarded by `site`. `api` is the breaker of the API if that is on the same host.
    pub fn new(pages: Arc<RankingPages>, site: Arc<Breaker>, api: Option<Arc<Breaker>>) -> Guarded {
        Guarded { pages, site, api, probe: Mutex::new(()) }
    }
}

#[async_trait]
impl PlayerSource for Guarded {
    async fn page(&self, claim: &Claim, _pass: &Pass, page: u32) -> Result<Found, SourceError> {
        if let Some(api) = &self.api
            && let Some(wait) = api.waits(Intent::Work).await
        {
            return Err(down(api, wait));
        }
        let turn = if self.site.look().await.is_closed() { None } else { Some(self.probe.lock().await) };
        let right = self.site.enter(Intent::Probe).await.map_err(|wait| down(&self.site, wait))?;
        let _turn = turn.filter(|_| right != circuit::Pass::Free);
        let found = self.pages.page(right, claim, page).await;
        let health = match &found {
            Ok(_) => Health::Served,
            Err(SourceError::Failed { reason, .. }) => Health::Failed(reason.clone()),
            // After a challenge or a ban the site rests for hours, which discovery sees to.
            Err(_) => Health::Unknown,
        };
        self.site.report(right, &health).await;
        found
    }

    fn upstream(&self) -> String {
        self.pages.upstream()
    }

    fn span(&self, _claim: &Claim, _pass: &Pass) -> Option<Duration> {
        None
    }
}

fn down(breaker: &Breaker, wait: Wait) -> SourceError {
    let Wait { outage, until } = wait;
    SourceError::Down { upstream: breaker.upstream().to_owned(), since: outage.since, until, reason: outage.reason }
}
