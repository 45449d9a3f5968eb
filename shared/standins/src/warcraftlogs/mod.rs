//! The stand-in for Warcraft Logs: its API, its points, and its ranking pages.
//!
//! Every character can be queried, at prices that are known or assumed for the real service. Everything that a test
//! needs to know, and a client cannot observe, is in [`Counters`] and [`Population`].

mod account;
mod all_stars;
mod answers;
mod api;
mod constants;
mod counters;
mod graphql;
mod json;
mod names;
mod oauth;
mod options;
mod pages;
mod player_ranks;
mod population;
mod rank_query;
mod rate_limits;
mod realms;
mod reports;
mod sections;
mod upstream;

pub use all_stars::{Ranks, TrueStars};
pub use counters::{Counters, KeyCounters, PageReads, WindowCounters};
pub use graphql::ServedField;
pub use options::{Ban, BanForm, Damage, Detail, Faults, Options, Rate, SectionFaults, Shares, StandinKey};
pub use pages::TableFilters;
pub use player_ranks::{TrueEncounter, TrueRanks};
pub use population::{Character, Population, QueryOutcome};
pub use rank_query::RankQuery;
pub use realms::Realm;
pub use upstream::WarcraftLogs;

/// Returns the part of the published schema that the stand-in serves.
pub fn served_schema() -> Vec<ServedField> {
    graphql::served()
}
