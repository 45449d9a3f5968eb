//! What several commands show, each thing in one form.

pub(crate) mod breakers;
pub(crate) mod queue;
pub(crate) mod throttle;
