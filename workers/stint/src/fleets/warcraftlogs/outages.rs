//! The fleet's upstreams, and the workers that have nothing to do while one of them is down.

use std::sync::Arc;

use stint_core::ports::Breakers;
use stint_core::worker::{Worker, WorkerSpec};
use stint_http::Breaker;
use stint_warcraftlogs::client::UPSTREAM;
use stint_warcraftlogs::config::Settings;
use stint_warcraftlogs::discover::Discover;
use stint_warcraftlogs::discovery::{DiscoverySource, SITE};
use stint_warcraftlogs::rank_fetcher::RankFetcher;
use stint_warcraftlogs::refresher::Refresher;

use crate::context::Context;

/// Returns the breaker of the Warcraft Logs API, whose record is in `breakers`.
pub(crate) fn api_breaker(breakers: Arc<dyn Breakers>, settings: &Settings, context: &Context) -> Breaker {
    Breaker::new(UPSTREAM, breakers, context.clock.clone(), settings.breaker())
}

/// Returns the upstreams without which nothing is discovered: the source of the players, and the API if it is on the
/// same host as the site, because an outage of the API then stops the site's pages too.
pub(crate) fn upstreams_of_discovery(settings: &Settings) -> &'static [&'static str] {
    match settings.discovery_source {
        DiscoverySource::Pages if settings.has_one_host() => &[SITE, UPSTREAM],
        DiscoverySource::Pages => &[SITE],
        DiscoverySource::Reports => &[UPSTREAM],
    }
}

/// Returns the upstreams without which a worker has nothing to do.
pub(super) fn upstreams_of(worker: &WorkerSpec, settings: &Settings) -> &'static [&'static str] {
    match worker.name {
        name if name == Discover::SPEC.name => upstreams_of_discovery(settings),
        name if name == RankFetcher::SPEC.name || name == Refresher::SPEC.name => &[UPSTREAM],
        _ => &[],
    }
}
