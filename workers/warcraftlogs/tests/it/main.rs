//! One integration binary: the databases, publishing, and the whole fleet on virtual time.
#![expect(clippy::unwrap_used, reason = "a test and its helpers stop at the first surprise")]

mod discovering;
mod fleet;
mod lua;
mod publish;
mod world;
