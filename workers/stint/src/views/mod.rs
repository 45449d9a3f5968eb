//! Views that several commands share, so that each thing is always shown in the same form.

pub(crate) mod alarms;
pub(crate) mod breakers;
pub(crate) mod listeners;
pub(crate) mod queue;
pub(crate) mod schedules;
pub(crate) mod throttle;
