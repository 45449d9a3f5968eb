//! Records as few digits as their values weigh: what is expected costs little, what is rare costs more.
//!
//! [`places`] says what is expected where, [`model`] shares slots among the values of a place, [`coder`] turns slots
//! into digits and back, and [`walk`] has the order; [`extras`] that of what only some databases say.

pub(crate) mod coder;
pub(crate) mod extras;
pub(crate) mod model;
pub(crate) mod models;
pub(crate) mod places;
pub(crate) mod walk;
