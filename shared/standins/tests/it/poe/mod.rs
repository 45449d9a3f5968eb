//! The public stash river as a client sees it.

mod client;
mod limits;
mod network;
mod oauth;
mod river;
mod shapes;
mod streaming;
