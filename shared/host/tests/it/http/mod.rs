//! The hosts that serve HTTP, over real sockets.

mod conformance;
mod idle;
mod serving;
mod slow;
mod stopping;
mod world;
