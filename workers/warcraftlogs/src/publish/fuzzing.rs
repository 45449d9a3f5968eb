//! What the fuzz targets of `shared/fuzz` reach of this folder, and nothing else uses: no part of the interface.

use std::io;

use super::version::Version;
use super::wire;

/// A server's list of references as it is handed on.
pub fn references(mut stream: &[u8], parts: u32, branch: &str) -> io::Result<Vec<u8>> {
    wire::references::read(&mut stream, parts, branch)
}

/// The version after that of a tag, as a tag. `None` where the tag is none of ours.
pub fn next_version(tag: &str) -> Option<String> {
    let version = Version::of_tag(tag)?;
    Some(Version::next(Some(version), jiff::civil::date(2026, 11, 28)).tag())
}
