//! The conformance suites of the fleet's stores: every backend passes the same tests, by name.

mod chain;
mod pages;
mod s3;

use std::sync::Arc;

use jiff::Timestamp;
use stint_core::clock::{Clock, ManualClock};
use stint_core::ports::{Breakers, PortResult};
use stint_embedded::{Embedded, Mode};
use stint_poe_stashes::store::{Chain, HeadStore, ObjectChain, ObjectRecords, Objects, Pages, Realm, SqliteChain};

/// The circuit breaker records in an object store.
struct Records(Objects);

#[async_trait::async_trait]
impl stint_testkit::BreakerWorld for Records {
    async fn breakers(&self) -> PortResult<Arc<dyn Breakers>> {
        Ok(Arc::new(ObjectRecords::new(&self.0, "breakers")))
    }
}

mod records {
    stint_testkit::breakers_suite!(futures::executor::block_on, async {
        crate::stores::Records(stint_poe_stashes::store::Objects::in_memory())
    });
}

/// A handle to the chain and to the heads.
type ChainAndHeads = (Arc<dyn Chain>, Arc<dyn HeadStore>);

/// Empty stores that no other test uses.
pub(crate) struct Backend {
    pub(crate) clock: ManualClock,
    /// A second call returns another handle to the same chain, as another process would have.
    pub(crate) chain: Box<dyn Fn() -> ChainAndHeads>,
    pub(crate) pages: Arc<dyn Pages>,
    /// Must not be dropped before the stores.
    _folder: Option<tempfile::TempDir>,
}

/// A part size so small that a test's blobs need several parts. S3 has a minimum, so its parts are larger.
pub(crate) const SMALL_PART: usize = 1000;

fn clock() -> ManualClock {
    ManualClock::new(Timestamp::UNIX_EPOCH)
}

/// Returns a backend with pages and chain in one object store.
pub(crate) fn objects(objects: Objects) -> Backend {
    let clock = clock();
    let (store, port) = (objects.clone(), Arc::new(clock.clone()));
    let chain = move || {
        let chain = || ObjectChain::new(&store, Realm::Pc, port.clone());
        (Arc::new(chain()) as Arc<dyn Chain>, Arc::new(chain()) as Arc<dyn HeadStore>)
    };
    Backend { clock, chain: Box::new(chain), pages: Arc::new(objects), _folder: None }
}

/// Returns a backend with pages in a folder and the chain in SQLite.
fn folder() -> Backend {
    let (clock, folder) = (clock(), tempfile::tempdir().unwrap());
    let port: Arc<dyn Clock> = Arc::new(clock.clone());
    let embedded = Embedded::open(folder.path(), Mode::Inline, port.clone()).unwrap();
    let pages = Objects::in_folder(&folder.path().join("pages")).unwrap().with_part(SMALL_PART);
    let chain = move || {
        let open = || SqliteChain::open(&embedded, Realm::Pc, port.clone()).unwrap();
        (Arc::new(open()) as Arc<dyn Chain>, Arc::new(open()) as Arc<dyn HeadStore>)
    };
    Backend { clock, chain: Box::new(chain), pages: Arc::new(pages), _folder: Some(folder) }
}

fn memory() -> Backend {
    objects(Objects::in_memory().with_part(SMALL_PART))
}

/// Defines a test for each name, on a backend created by `$backend`, run by `$run`.
macro_rules! expand {
    ($suite:ident, $run:expr, $backend:expr, $($test:ident)*) => {
        mod $suite {
            $(
                #[test]
                fn $test() {
                    $run(async { crate::stores::$suite::$test(&$backend).await });
                }
            )*
        }
    };
}

/// All suites.
macro_rules! store_suite {
    ($run:expr, $backend:expr) => {
        crate::stores::expand! { pages, $run, $backend,
            a_blob_is_seen_when_it_is_committed_and_not_before
            a_second_blob_of_the_name_changes_nothing
            a_blob_of_many_parts_is_one_blob
            an_aborted_or_dropped_upload_leaves_nothing
        }
        crate::stores::expand! { chain, $run, $backend,
            a_new_chain_is_claimed_without_a_position
            a_chain_has_one_leaseholder
            a_lease_taken_with_a_clock_ahead_does_not_block_the_chain
            writing_renews_the_lease
            an_old_claim_changes_nothing
            a_released_chain_can_be_claimed_at_once
            every_part_of_the_progress_comes_back
            one_of_many_concurrent_claims_succeeds
            heads_are_replaced
        }
    };
}

pub(crate) use {expand, store_suite};

mod on_a_folder {
    store_suite!(futures::executor::block_on, crate::stores::folder());
}

mod in_memory {
    store_suite!(futures::executor::block_on, crate::stores::memory());
}
