//! Where to push, and under which name.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use stint_core::clock::Clock;

use super::History;
use super::credentials::redact;
use super::wire::{Limits, SshCommand};

/// Where to push, under which name, and where to keep the cached clone.
#[derive(Clone)]
pub struct GitSettings {
    /// A path, or a `file://`, `https://` (with or without `user:token@`) or SSH address.
    pub url: String,
    /// Created if the remote does not have it, without the history of any other branch.
    pub branch: String,
    /// The folder of the addons in the repository; empty for its root.
    pub folder: String,
    /// How much of the branch's history stays.
    pub history: History,
    /// The state folder for `publish.git`, a bare clone that saves fetching everything again. The clone may be deleted
    /// at any time.
    pub cache: PathBuf,
    /// The author of the commits.
    pub author_name: String,
    /// The author's address.
    pub author_email: String,
    /// For an `https://` address without user and token.
    pub token: Option<SecretString>,
    /// For an SSH address: the private key; without it `ssh` tries the keys that it has.
    pub ssh_key: Option<PathBuf>,
    /// How many pushes to try if others push at the same time.
    pub attempts: u32,
    /// For an SSH address: the program `ssh` and its first arguments.
    pub ssh_program: Vec<String>,
    /// Limits on what a remote may send.
    pub limits: Limits,
    /// Ends waits.
    pub clock: Arc<dyn Clock>,
}

impl GitSettings {
    /// Default number of pushes to try: each failed one means that another push was made within seconds.
    pub const ATTEMPTS: u32 = 5;

    /// Default limits. While a server works on a push, it reports progress every few seconds; a worker has a quarter of
    /// an hour, and generates before it publishes; a generation of databases has tens of megabytes.
    pub const LIMITS: Limits = Limits {
        deadline: Duration::from_secs(600),
        silence: Duration::from_secs(120),
        bytes: 1 << 30,
        objects: 1_000_000,
        unpacked: 2 << 30,
    };

    /// The branch `main` of this address, with the cached clone in this folder.
    pub fn new(url: impl Into<String>, cache: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> GitSettings {
        GitSettings {
            url: url.into(),
            branch: "main".to_owned(),
            folder: String::new(),
            history: History::All,
            cache: cache.into(),
            author_name: "Stint".to_owned(),
            author_email: "stint@localhost".to_owned(),
            token: None,
            ssh_key: None,
            ssh_program: SshCommand::default().program,
            attempts: GitSettings::ATTEMPTS,
            limits: GitSettings::LIMITS,
            clock,
        }
    }

    /// The command to run `ssh`.
    pub(super) fn ssh(&self) -> SshCommand {
        SshCommand { program: self.ssh_program.clone(), key: self.ssh_key.clone() }
    }
}

impl fmt::Debug for GitSettings {
    /// Omits secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GitSettings { url, branch, folder, cache, .. } = self;
        let mut shown = formatter.debug_struct("GitSettings");
        shown.field("url", &redact(url)).field("branch", branch).field("folder", folder).field("cache", cache);
        shown.finish_non_exhaustive()
    }
}
