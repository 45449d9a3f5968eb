//! The stand-in as a client sees it.

mod client;
mod rank_query;

mod determinism;
mod faults;
mod graphql;
mod http_layer;
mod oauth;
mod pages;
mod poe;
mod points;
mod quirks;
mod reports;
