//! How bytes get to and from a remote: within limits that no remote can stretch.
//!
//! libgit2 speaks git's protocol; over `http://`, `https://` and `git://` it does so through the streams of this folder,
//! whose every wait ends with the publication's deadline, or when the remote is silent for too long, and which count what
//! comes. No redirect is followed, and the token goes to the repository's own address alone. Over SSH, libgit2's own
//! transport bounds the silence, and the deadline ends the transfer.

mod http;
mod references;
mod session;
mod tcp;

use git2::Remote;
use git2::transport::Transport;

pub(super) use references::MAX_REFERENCES;
pub use session::Limits;
pub(super) use session::Session;

/// The schemes that are spoken here.
pub(super) const SCHEMES: [(&str, Factory); 3] = [("http", over_http), ("https", over_http), ("git", over_tcp)];

/// Makes what carries git's protocol to a remote.
pub(super) type Factory = fn(&Remote<'_>) -> Result<Transport, git2::Error>;

fn over_http(remote: &Remote<'_>) -> Result<Transport, git2::Error> {
    Transport::smart(remote, true, http::Http(Session::current()?))
}

fn over_tcp(remote: &Remote<'_>) -> Result<Transport, git2::Error> {
    Transport::smart(remote, false, tcp::Tcp(Session::current()?))
}
