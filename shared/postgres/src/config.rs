//! The settings of PostgreSQL.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use secrecy::SecretString;

/// How a connection is encrypted, and how the server proves its identity. The names are those of PostgreSQL's own
/// clients, without `allow` and `prefer`, which send everything in the clear if the server asks for it.
/// <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS>
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SslMode {
    /// Not encrypted.
    Disable,
    /// Encrypted. The server's certificate is only verified if there is a CA file, and then as `verify-ca` does.
    Require,
    /// Encrypted, and an authority that is trusted has signed the certificate, for whatever name.
    VerifyCa,
    /// The same, and the certificate is for the name of the host.
    VerifyFull,
}

/// The settings of PostgreSQL.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "PostgreSQL")]
pub struct PostgresSettings {
    /// The address of PostgreSQL, as `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=MODE`, with reserved
    /// characters percent-encoded. It comes before the single settings; only a password that it lacks is taken from
    /// POSTGRES_PASSWORD.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_hint = ValueHint::Url)]
    pub database_url: Option<SecretString>,

    /// The host of PostgreSQL, or the folder of its socket. Without it, `localhost`.
    #[arg(long, env = "POSTGRES_HOST", value_hint = ValueHint::Hostname)]
    pub postgres_host: Option<String>,

    /// The port of PostgreSQL.
    #[arg(long, env = "POSTGRES_PORT", default_value_t = 5432)]
    pub postgres_port: u16,

    /// The user of PostgreSQL.
    #[arg(long, env = "POSTGRES_USER")]
    pub postgres_user: Option<String>,

    /// The password of PostgreSQL.
    #[arg(long, env = "POSTGRES_PASSWORD", hide_env_values = true)]
    pub postgres_password: Option<SecretString>,

    /// The database. Without it, the one of the same name as the user.
    #[arg(long, env = "POSTGRES_DB")]
    pub postgres_db: Option<String>,

    /// Another name of POSTGRES_DB.
    #[arg(long, env = "POSTGRES_DATABASE")]
    pub postgres_database: Option<String>,

    /// How the connection to PostgreSQL is encrypted, unless DATABASE_URL says so. Without it, `disable` for this
    /// machine, and `verify-full` for every other host.
    #[arg(long, env = "POSTGRES_SSLMODE", value_enum)]
    pub postgres_sslmode: Option<SslMode>,

    /// The certificates of the authorities that may sign PostgreSQL's certificate, as a PEM file. Without it, those
    /// that the operating system trusts.
    #[arg(long, env = "POSTGRES_CA_FILE", value_hint = ValueHint::FilePath)]
    pub postgres_ca_file: Option<PathBuf>,

    /// The most connections to PostgreSQL of this process, for writing and for reading each.
    #[arg(long, env = "POSTGRES_POOL_SIZE", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub postgres_pool_size: u16,

    /// How long to wait until one of these connections is free, in seconds.
    #[arg(long, env = "POSTGRES_WAIT_SECONDS", default_value_t = 10)]
    pub postgres_wait_seconds: u32,

    /// How long to wait for a new connection, in seconds.
    #[arg(long, env = "POSTGRES_CONNECT_SECONDS", default_value_t = 10)]
    pub postgres_connect_seconds: u32,

    /// A connection that was not used for so many seconds is closed.
    #[arg(long, env = "POSTGRES_IDLE_SECONDS", default_value_t = 300)]
    pub postgres_idle_seconds: u32,

    /// A connection is replaced by a new one after so many seconds.
    #[arg(long, env = "POSTGRES_LIFETIME_SECONDS", default_value_t = 1_800)]
    pub postgres_lifetime_seconds: u32,

    /// PostgreSQL cancels a statement after so many seconds. 0 means never.
    #[arg(long, env = "POSTGRES_STATEMENT_SECONDS", default_value_t = 30)]
    pub postgres_statement_seconds: u32,

    /// PostgreSQL cancels a statement that has waited for a lock for so many seconds. 0 means never.
    #[arg(long, env = "POSTGRES_LOCK_SECONDS", default_value_t = 10)]
    pub postgres_lock_seconds: u32,

    /// PostgreSQL ends a transaction in which nothing happens for so many seconds. 0 means never.
    #[arg(long, env = "POSTGRES_TRANSACTION_IDLE_SECONDS", default_value_t = 60)]
    pub postgres_transaction_idle_seconds: u32,

    /// How long an operation on PostgreSQL may take in all, with its retries, in seconds.
    #[arg(long, env = "POSTGRES_RETRY_SECONDS", default_value_t = 45)]
    pub postgres_retry_seconds: u32,
}

impl PostgresSettings {
    /// Returns the defaults with this address.
    pub fn at(url: SecretString) -> PostgresSettings {
        PostgresSettings {
            database_url: Some(url),
            postgres_host: None,
            postgres_port: 5432,
            postgres_user: None,
            postgres_password: None,
            postgres_db: None,
            postgres_database: None,
            postgres_sslmode: None,
            postgres_ca_file: None,
            postgres_pool_size: 8,
            postgres_wait_seconds: 10,
            postgres_connect_seconds: 10,
            postgres_idle_seconds: 300,
            postgres_lifetime_seconds: 1_800,
            postgres_statement_seconds: 30,
            postgres_lock_seconds: 10,
            postgres_transaction_idle_seconds: 60,
            postgres_retry_seconds: 45,
        }
    }

    /// Whether a database is named at all.
    pub fn is_set(&self) -> bool {
        let parts = [&self.postgres_host, &self.postgres_user, &self.postgres_db, &self.postgres_database];
        self.database_url.is_some() || parts.iter().any(|part| part.is_some())
    }
}

/// Returns a number of seconds as a duration.
pub(crate) fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// The servers that tests may use. `scripts/test` starts them.
#[derive(Clone, Debug)]
pub struct TestServers {
    /// The address of the server that tests share, with the name and password of an administrator.
    pub url: String,
    /// The certificate of the authority that has signed the server's, which is for the name `localhost`.
    pub ca: Option<PathBuf>,
    /// The program that stops, starts and names the second server.
    pub restart: Option<PathBuf>,
}

impl TestServers {
    /// Returns the servers; `None` if there is none.
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    pub fn from_environment() -> Option<TestServers> {
        let path = |name| std::env::var_os(name).map(PathBuf::from);
        let url = std::env::var("STINT_POSTGRES_URL").ok()?;
        Some(TestServers { url, ca: path("STINT_POSTGRES_CA"), restart: path("STINT_POSTGRES_RESTART") })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        settings: PostgresSettings,
    }

    #[test]
    fn the_defaults_are_those_of_the_command_line() {
        let parsed = Program::parse_from(["stint", "--database-url=postgres://localhost"]).settings;
        assert_eq!(format!("{parsed:?}"), format!("{:?}", PostgresSettings::at("postgres://localhost".into())));
    }

    #[test]
    fn secrets_are_not_shown() {
        let arguments = ["stint", "--database-url=postgres://u:hidden@h", "--postgres-password=hidden"];
        let shown = format!("{:?}", Program::parse_from(arguments).settings);
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
