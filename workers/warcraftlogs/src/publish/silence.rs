//! How long libgit2 waits for a remote. Left alone it waits for ever, and with it whoever publishes.

use std::sync::Once;
use std::time::Duration;

use git2::opts::{set_server_connect_timeout_in_milliseconds, set_server_timeout_in_milliseconds};

/// Lets a remote be silent for at most so long, also when it is called upon first. The value is the library's, not a remote's:
/// the first call of a process counts.
pub(super) fn limit(longest: Duration) {
    static LIMITED: Once = Once::new();
    LIMITED.call_once(|| {
        let millis = i32::try_from(longest.as_millis()).unwrap_or(i32::MAX);
        #[expect(unsafe_code, reason = "libgit2 has no other way to give up a remote")]
        // SAFETY: both write an integer that libgit2 reads when it opens a connection. Only `Git` opens connections, and nobody
        // has one before this is done: `Once` lets its callers wait.
        let limited = unsafe {
            set_server_connect_timeout_in_milliseconds(millis).and_then(|()| set_server_timeout_in_milliseconds(millis))
        };
        if let Err(error) = limited {
            tracing::warn!(%error, "a git remote may be silent for ever: {error}");
        }
    });
}
