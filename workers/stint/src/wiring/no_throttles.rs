//! The throttles of functions, where this program was built without AWS or without MongoDB.

use std::sync::Arc;

use anyhow::bail;
use stint_core::ports::Throttle;
use stint_core::worker::WorkerId;

use super::backends::Backends;
use crate::built::built_without;

pub(crate) fn steering(_: &Backends, _: Option<&WorkerId>) -> anyhow::Result<Arc<dyn Throttle>> {
    bail!(built_without("Lambda throttles with their state in MongoDB", "cloud"))
}
