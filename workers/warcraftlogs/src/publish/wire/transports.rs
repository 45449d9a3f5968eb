//! Registers the transports in this folder with libgit2.

use std::sync::Once;

use git2::Remote;
use git2::transport::{Transport, register};

use super::http::Http;
use super::network;
use super::session::Session;
use super::ssh::Ssh;
use super::tcp::Tcp;

/// Creates the transport for a remote.
type Factory = fn(&Remote<'_>) -> Result<Transport, git2::Error>;

/// The supported schemes. An address such as `git@host:path` is for `ssh`.
const SCHEMES: [(&str, Factory); 6] = [
    ("http", over_http),
    ("https", over_http),
    ("git", over_tcp),
    ("ssh", over_ssh),
    ("git+ssh", over_ssh),
    ("ssh+git", over_ssh),
];

/// Makes libgit2 use these transports. They are registered for the whole process: only the first call has an effect.
pub(in crate::publish) fn connect_here() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        for (scheme, factory) in SCHEMES {
            #[expect(unsafe_code, reason = "libgit2 has no other way to be given a transport")]
            // SAFETY: it changes a list that libgit2 reads when it opens a connection. Only `Git` opens connections,
            // and none is opened before this is done, since callers of `Once` wait.
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
