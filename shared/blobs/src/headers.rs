//! What both adapters say and assume of headers.

use stint_core::ports::{BlobHeaders, BlobName, PortError};

/// The error of a range that begins behind a blob, or is empty.
pub(crate) fn outside(name: &BlobName) -> PortError {
    PortError::Invalid(format!("the range is empty or begins behind the end of the blob {name}"))
}

/// Returns the headers of a file that was not put through the port, by its extension.
pub(crate) fn by_extension(name: &BlobName) -> BlobHeaders {
    let last = name.as_str().rsplit('/').next().unwrap_or_default();
    let content_type = match last.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "json" => "application/json",
        "html" => "text/html; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "zst" => "application/zstd",
        "gz" => "application/gzip",
        _ => "application/octet-stream",
    };
    BlobHeaders::of_type(content_type)
}
