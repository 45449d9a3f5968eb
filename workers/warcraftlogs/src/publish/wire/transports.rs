//! Gives libgit2 the transports of this folder.

use std::sync::Once;

use git2::Remote;
use git2::transport::{Transport, register};

use super::http::Http;
use super::network;
use super::session::Session;
use super::ssh::Ssh;
use super::tcp::Tcp;

/// Makes what carries git's protocol to a remote.
type Factory = fn(&Remote<'_>) -> Result<Transport, git2::Error>;

/// The schemes that are spoken here. An address such as `git@host:path` is one of `ssh`.
const SCHEMES: [(&str, Factory); 6] = [
    ("http", over_http),
    ("https", over_http),
    ("git", over_tcp),
    ("ssh", over_ssh),
    ("git+ssh", over_ssh),
    ("ssh+git", over_ssh),
];

/// Lets libgit2 make its connections here. They are the library's, not a remote's: the first call of a process counts.
pub(in crate::publish) fn connect_here() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        for (scheme, factory) in SCHEMES {
            #[expect(unsafe_code, reason = "libgit2 has no other way to be given a transport")]
            // SAFETY: it changes a list that libgit2 reads when it opens a connection. Only `Git` opens connections, and none
            // is opened before this is done: `Once` lets its callers wait.
            let registered = unsafe { register(scheme, factory) };
            if let Err(error) = registered {
                tracing::warn!(scheme, %error, "remotes of {scheme}:// are reached without a deadline: {error}");
            }
        }
    });
}

fn over_http(remote: &Remote<'_>) -> Result<Transport, git2::Error> {
    let http = Http::new(Session::current()?).map_err(|error| network(&error))?;
    Transport::smart(remote, true, http)
}

fn over_tcp(remote: &Remote<'_>) -> Result<Transport, git2::Error> {
    Transport::smart(remote, false, Tcp(Session::current()?))
}

fn over_ssh(remote: &Remote<'_>) -> Result<Transport, git2::Error> {
    Transport::smart(remote, false, Ssh(Session::current()?))
}
