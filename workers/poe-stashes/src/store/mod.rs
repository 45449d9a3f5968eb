//! The fleet's stores, in its own terms. Each trait is as narrow as the workers that use it.

mod chain;
mod index;
mod objects;
mod objects_chain;
mod objects_records;
#[cfg(not(feature = "aws"))]
#[path = "objects_no_s3.rs"]
mod objects_s3;
#[cfg(feature = "aws")]
mod objects_s3;
mod pages;
mod sqlite_chain;
mod sqlite_index;

pub use chain::{
    Chain, ChainStatus, Claim, GivenUp, HeadSamples, HeadStore, OpenPage, Progress, Sample, Stopped, Totals,
};
pub use index::{Changes, Index, IndexCounts, ItemRow, PriceRow, Snapshot, StashRow};
pub use objects::Objects;
pub use objects_chain::ObjectChain;
pub use objects_records::ObjectRecords;
#[cfg(not(feature = "aws"))]
pub(crate) use objects_s3::WITHOUT_S3;
pub use pages::{PageKey, PageStream, Pages, Put, Realm, Upload};
pub use sqlite_chain::SqliteChain;
pub use sqlite_index::SqliteIndex;
