//! Access to this folder for the fuzz targets of `shared/fuzz`. Nothing else uses it; it is not part of the interface.

use super::version::Version;
pub use super::wire::fuzzing::{pack, references};

/// The version after that of a tag, as a tag. `None` if the tag is not one of Stint's.
pub fn next_version(tag: &str) -> Option<String> {
    let version = Version::of_tag(tag)?;
    Some(Version::next(Some(version), jiff::civil::date(2026, 11, 28)).tag())
}
