//! How bytes get to and from a remote: within limits that no remote can stretch.
//!
//! libgit2 speaks git's protocol, over `http://`, `https://`, `git://` and SSH alike through the streams of this folder. Each
//! wait of theirs ends with the publication's deadline, or when the remote is silent for too long; they count what comes, and
//! what it unpacks to. No redirect is followed, and the token goes to the repository's own address alone.

pub(super) mod fuzzing;
mod http;
mod meter;
mod pack;
mod references;
mod session;
mod ssh;
mod stream;
mod tcp;
mod transports;

use std::io;

use git2::transport::Service;
use git2::{ErrorClass, ErrorCode};

pub(super) use references::MAX_REFERENCES;
pub use session::Limits;
pub(super) use session::Session;
pub(super) use ssh::{SshCommand, check as check_ssh};
pub(super) use transports::connect_here;

/// So much of a remote's words is repeated.
const MAX_WORDS: usize = 300;

/// What a server runs to serve a fetch or a push.
fn program(service: Service) -> &'static str {
    match service {
        Service::UploadPackLs | Service::UploadPack => "git-upload-pack",
        Service::ReceivePackLs | Service::ReceivePack => "git-receive-pack",
    }
}

/// An error of the network, as libgit2 has them.
fn network(error: &io::Error) -> git2::Error {
    git2::Error::new(ErrorCode::GenericError, ErrorClass::Net, error.to_string().replace('\0', " "))
}

/// What a remote says, as a part of one line of ours.
fn words(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let plain: String = said.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    plain.trim().chars().take(MAX_WORDS).collect()
}
