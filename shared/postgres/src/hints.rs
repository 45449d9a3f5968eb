//! The texts of errors: PostgreSQL's message and code, and what an operator can do about it.
//!
//! The detail of a message is left out, because it quotes rows and keys, which may be personal or secret.

use std::iter;

use tokio_postgres::Error;
use tokio_postgres::error::DbError;

pub(crate) const POOL_IS_BUSY: &str = "every connection of this process is in use, and none became free within \
                                       POSTGRES_WAIT_SECONDS: raise POSTGRES_POOL_SIZE, or look for slow statements";

/// Remedies by PostgreSQL's code. <https://www.postgresql.org/docs/current/errcodes-appendix.html>
const REMEDIES: &[(&str, &str)] = &[
    ("21000", "merge the rows with the same key before they are stored together"),
    ("25006", "this session may only read"),
    ("25P02", "an earlier statement of the transaction failed, and its error was ignored"),
    ("25P03", "nothing happened in a transaction for POSTGRES_TRANSACTION_IDLE_SECONDS"),
    ("28000", "check the user, and that the server's pg_hba.conf permits it from here"),
    ("28P01", "check the user and the password in DATABASE_URL or POSTGRES_PASSWORD"),
    ("3D000", "create the database, or correct its name in DATABASE_URL or POSTGRES_DB"),
    ("40001", "another transaction changed the same rows"),
    ("40P01", "two transactions waited for each other"),
    ("42501", "grant the right to the user of DATABASE_URL"),
    ("42703", "the database has another version: run the migrations"),
    ("42P01", "the database has another version: run the migrations"),
    ("53100", "the server's disk is full"),
    (
        "53300",
        "the server has no connection left: lower POSTGRES_POOL_SIZE or the number of workers, or raise the server's \
               max_connections",
    ),
    ("55P03", "another transaction held the lock for longer than POSTGRES_LOCK_SECONDS"),
    ("57014", "the statement took longer than POSTGRES_STATEMENT_SECONDS, or an administrator cancelled it"),
    ("57P03", "the server is starting or shutting down"),
];

/// Remedies by a part of the text, for errors of TLS.
const TLS_REMEDIES: &[(&str, &str)] = &[
    (
        "server does not support TLS",
        "switch TLS on in the server, or set sslmode=disable if the network between here and there is trusted",
    ),
    (
        "UnknownIssuer",
        "no trusted authority has signed the server's certificate: set POSTGRES_CA_FILE to the authority's",
    ),
    ("NotValidForName", NAME),
    ("not valid for name", NAME),
    ("Expired", "the server's certificate has expired"),
    ("CaUsedAsEndEntity", "the server's certificate is an authority's own: have it sign one for the server"),
];

const NAME: &str = "the server's certificate is for another name: use that name as the host, or sslmode=verify-ca";

/// Returns the server's message with its code, the names of what it is about, and the remedy.
pub(crate) fn describe(error: &DbError) -> String {
    let about = [("constraint", error.constraint()), ("table", error.table()), ("column", error.column())];
    let about = about.iter().filter_map(|(kind, name)| name.map(|name| format!(", {kind} {name}")));
    let code = error.code().code();
    let remedy = REMEDIES.iter().find(|remedy| remedy.0 == code).map(|remedy| format!("; {}", remedy.1));
    format!("{} [SQLSTATE {code}{}]{}", error.message(), about.collect::<String>(), remedy.unwrap_or_default())
}

/// Returns the driver's error with its causes, and the remedy.
pub(crate) fn describe_driver(error: &Error) -> String {
    let text = causes(error).join(": ");
    let remedy = TLS_REMEDIES.iter().find(|(part, _)| text.contains(part)).map(|remedy| format!("; {}", remedy.1));
    text + &remedy.unwrap_or_default()
}

/// Whether TLS cannot be agreed upon, which a retry does not change.
pub(crate) fn is_tls(error: &Error) -> bool {
    let text = causes(error).join(": ");
    text.contains("server does not support TLS") || text.contains("invalid peer certificate")
}

/// Whether a statement was prepared before a migration changed its result. A new session prepares it again.
pub(crate) fn is_stale_plan(error: &DbError) -> bool {
    error.code().code() == "0A000" && error.message().contains("cached plan must not change")
}

/// Returns the texts of an error and its causes, each once.
fn causes(error: &Error) -> Vec<String> {
    let mut texts = Vec::new();
    for error in iter::successors(Some(error as &dyn std::error::Error), |error| error.source()) {
        let text = error.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}
