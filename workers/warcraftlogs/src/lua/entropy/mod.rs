//! Encodes records in as few digits as the probabilities of their values allow: expected values are cheap, rare ones
//! expensive.
//!
//! [`places`] defines the places of a record and their contexts, [`model`] divides slots among the values of a place,
//! [`coder`] turns slots into digits and back, and [`walk`] defines the order; [`extras`] does so for what only some
//! databases contain.

pub(crate) mod coder;
pub(crate) mod extras;
pub(crate) mod model;
pub(crate) mod models;
pub(crate) mod places;
pub(crate) mod walk;
