//! Both stores of blobs pass the conformance suite; and what only one of them has.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod bucket;
mod folder;
