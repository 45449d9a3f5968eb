//! The stand-in for Warcraft Logs: its API, its points, and its ranking pages.
//!
//! Every character can be queried, at prices that are known or assumed for the real service. Everything that a test
//! needs to know, and a client cannot observe, is in [`Books`] and [`Population`].

mod account;
mod answers;
mod api;
mod asking;
mod books;
mod facts;
mod gate;
mod graphql;
mod json;
mod names;
mod oauth;
mod options;
mod pages;
mod population;
mod realms;
mod reports;
mod sections;
mod standing;
mod stars;
mod upstream;

pub use asking::Asking;
pub use books::{Books, KeyBook, PageReads, WindowBook};
pub use graphql::ServedField;
pub use options::{Ban, BanForm, Detail, Faults, Options, Rate, SectionFaults, Shares, Spoilt, StandinKey};
pub use pages::Narrowed;
pub use population::{Character, Fate, Population};
pub use realms::Realm;
pub use standing::{TrueEncounter, TrueRanks};
pub use stars::{Places, TrueStars};
pub use upstream::WarcraftLogs;

/// Returns the part of the published schema that the stand-in serves.
pub fn served_schema() -> Vec<ServedField> {
    graphql::served()
}
