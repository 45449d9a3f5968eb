//! What the fuzz targets of `shared/fuzz` reach of this folder, and nothing else uses: no part of the interface.

use super::version::Version;
pub use super::wire::fuzzing::{pack, references};

/// The version after that of a tag, as a tag. `None` where the tag is none of ours.
pub fn next_version(tag: &str) -> Option<String> {
    let version = Version::of_tag(tag)?;
    Some(Version::next(Some(version), jiff::civil::date(2026, 11, 28)).tag())
}
