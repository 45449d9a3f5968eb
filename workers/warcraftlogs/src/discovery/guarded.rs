//! The site behind its circuit breaker: while the site or the API on the same host fails, no page is requested.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::lock::Mutex;
use stint_core::circuit::{self, CircuitSettings, CircuitWait, Health, Intent};
use stint_http::Breaker;
use url::Url;

use super::{PageResult, PlayerSource, RankingPages, SourceError};
use crate::config::Settings;
use crate::store::{Claim, Pass};

/// The site's name among the upstreams, used by its breaker, in `status` and in metrics.
pub const SITE: &str = "warcraftlogs-site";

/// Longest time for a page: a discovery abandons a page that takes longer than what is left of its invocation.
const LONGEST_PAGE: Duration = Duration::from_secs(15 * 60);

impl Settings {
    /// When the breaker of the site opens, and how long a probe may take.
    pub fn site_breaker(&self) -> CircuitSettings {
        CircuitSettings::for_calls_of(LONGEST_PAGE)
    }

    /// Whether the site and the API share a host, so that they are down together.
    pub fn has_one_host(&self) -> bool {
        let host = |url: &Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
        host(&self.wcl_site_url) == host(&self.wcl_api_url)
    }
}

/// Ranking pages that are only requested while the site is up. The next page serves as the probe.
///
/// A challenge on the site says nothing about the API, which needs no browser. If both share a host, an API that is
/// down counts for the site too: no page is requested until it is back.
pub struct BreakerGuardedPages {
    pages: Arc<RankingPages>,
    site: Arc<Breaker>,
    api: Option<Arc<Breaker>>,
    /// Pages are read in parallel. While one of them is the probe, the others wait for its end.
    probe: Mutex<()>,
}

impl BreakerGuardedPages {
    /// The pages of `pages`, whose client is guarded by `site`. `api` is the breaker of the API if that is on the same
    /// host.
    pub fn new(pages: Arc<RankingPages>, site: Arc<Breaker>, api: Option<Arc<Breaker>>) -> BreakerGuardedPages {
        BreakerGuardedPages { pages, site, api, probe: Mutex::new(()) }
    }
}

#[async_trait]
impl PlayerSource for BreakerGuardedPages {
    async fn page(&self, claim: &Claim, _pass: &Pass, page: u32) -> Result<PageResult, SourceError> {
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
            // After a challenge or a ban, discovery itself pauses the site for hours.
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

fn down(breaker: &Breaker, wait: CircuitWait) -> SourceError {
    let CircuitWait { outage, until } = wait;
    SourceError::Down { upstream: breaker.upstream().to_owned(), since: outage.since, until, reason: outage.reason }
}
