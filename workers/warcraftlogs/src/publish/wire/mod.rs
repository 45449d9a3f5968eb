//! The network connections to a remote, within limits that no remote can exceed.
//!
//! libgit2 speaks git's protocol over `http://`, `https://`, `git://` and SSH, always through the streams in this
//! folder. Each of their waits ends at the publication's deadline, or when the remote is silent for too long; they
//! count the received bytes, and their unpacked size. No redirect is followed, and the token is sent only to the
//! repository's own address.

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

/// Longest quotation of a remote's message.
const MAX_QUOTE: usize = 300;

/// The program that a server runs for a fetch or a push.
fn program(service: Service) -> &'static str {
    match service {
        Service::UploadPackLs | Service::UploadPack => "git-upload-pack",
        Service::ReceivePackLs | Service::ReceivePack => "git-receive-pack",
    }
}

/// A network error as an error of libgit2.
fn network(error: &io::Error) -> git2::Error {
    git2::Error::new(ErrorCode::GenericError, ErrorClass::Net, error.to_string().replace('\0', " "))
}

/// A remote's message, as part of one line.
fn one_line(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let plain: String = said.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    plain.trim().chars().take(MAX_QUOTE).collect()
}
