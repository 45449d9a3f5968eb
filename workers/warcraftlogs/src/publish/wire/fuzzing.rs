//! Access to this folder for the fuzz targets of `shared/fuzz`. Nothing else uses it; it is not part of the interface.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{Clock, ManualClock};
use tokio::runtime::{Builder, Runtime};

use super::pack::Pack;
use super::{Limits, Session, SshCommand};
use crate::publish::credentials::Address;

/// A server's list of references as it is passed on to libgit2.
pub fn references(mut stream: &[u8], parts: u32, branch: &str) -> io::Result<Vec<u8>> {
    super::references::read(&mut stream, parts, branch)
}

/// Follows a pack that arrives in these pieces, with this limit on the unpacked bytes of its objects.
pub fn pack<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, unpacked: u64) -> io::Result<()> {
    static RUNTIME: OnceLock<io::Result<Runtime>> = OnceLock::new();
    let Ok(runtime) = RUNTIME.get_or_init(|| Builder::new_current_thread().build()) else { return Ok(()) };
    let _within = runtime.enter();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let patience = Duration::from_secs(60);
    let limits = Limits { deadline: patience, silence: patience, bytes: u64::MAX, objects: usize::MAX, unpacked };
    let address = Arc::new(Address::new("git://host/a", None));
    let mut pack = Pack::new(Session::begin(&clock, limits, &address, "main", SshCommand::default()));
    pieces.into_iter().try_for_each(|piece| pack.take(piece))
}
