//! The stand-in for Warcraft Logs: its API, its points, and its ranking pages.
//!
//! Anyone may be asked for, at the price that the real service is known or guessed to take. What a test needs to
//! know beyond what a client can see is in [`Books`] and [`Population`].

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

/// The part of the published schema that the stand-in serves.
pub fn served_schema() -> Vec<ServedField> {
    graphql::served()
}
