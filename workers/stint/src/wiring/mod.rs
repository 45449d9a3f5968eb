//! Selects the backend behind each port. Only this module knows both ports and backends.

mod backends;
mod config;
mod diary;
mod hosts;
mod throttle_records;

pub(crate) use backends::{Backends, Database};
pub(crate) use config::{BackendSettings, Choice, Needs, QueueBackend, Uses};
pub(crate) use diary::Diary;
pub(crate) use hosts::Hosts;
