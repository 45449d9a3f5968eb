//! The settings of MongoDB.

use clap::{Args, ValueHint};
use secrecy::SecretString;

/// The settings of MongoDB.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "MongoDB")]
pub struct MongoSettings {
    /// The address of MongoDB, as `mongodb://` or `mongodb+srv://`, with user name and password if required.
    #[arg(long, env = "MONGODB_URI", hide_env_values = true, value_hint = ValueHint::Url)]
    pub mongodb_uri: Option<SecretString>,

    /// The database. Without it, the one named in the address, or `stint` if the address names none.
    #[arg(long, env = "MONGODB_DATABASE")]
    pub mongodb_database: Option<String>,

    /// The most connections that a process opens to a server. Without it, `maxPoolSize` of the address, or 10.
    #[arg(long, env = "MONGODB_POOL_SIZE", value_parser = clap::value_parser!(u32).range(1..))]
    pub mongodb_pool_size: Option<u32>,
}

impl MongoSettings {
    /// Returns the address. The error says that it is missing and how to set it.
    pub fn uri(&self) -> Result<&SecretString, String> {
        let missing = "MONGODB_URI is not set: name the server's address, as in mongodb://127.0.0.1:27017/stint";
        self.mongodb_uri.as_ref().ok_or_else(|| missing.to_owned())
    }
}

/// The server that tests may use; `None` if there is none.
#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
pub(crate) fn server_of_tests() -> Option<String> {
    std::env::var("MONGODB_URI").ok()
}

/// The second server, on which a change of one document is atomic by itself.
#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
pub(crate) fn atomic_server_of_tests() -> Option<String> {
    std::env::var("STINT_MONGODB_ATOMIC_URI").ok()
}
