//! One integration binary.
#![allow(clippy::unwrap_used)]

mod lua;
mod publish;
