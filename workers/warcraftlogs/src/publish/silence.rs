//! How libgit2 reaches a remote, and how long it waits for one. Left alone it waits for ever, and with it whoever publishes.

use std::sync::Once;
use std::time::Duration;

use git2::opts::{set_server_connect_timeout_in_milliseconds, set_server_timeout_in_milliseconds};
use git2::transport::register;

use super::wire::SCHEMES;

/// Lets a remote be silent for at most so long, also when it is called upon first, and has the connections of our own
/// schemes made by [`wire`](super::wire). Both are the library's, not a remote's: the first call of a process counts.
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
        for (scheme, factory) in SCHEMES {
            #[expect(unsafe_code, reason = "libgit2 has no other way to be given a transport")]
            // SAFETY: it changes a list that libgit2 reads when it opens a connection, which nobody does before this is done.
            let registered = unsafe { register(scheme, factory) };
            if let Err(error) = registered {
                tracing::warn!(scheme, %error, "remotes of {scheme}:// are reached without a deadline: {error}");
            }
        }
        if let Err(error) = limited {
            tracing::warn!(%error, "a git remote may be silent for ever: {error}");
        }
    });
}
