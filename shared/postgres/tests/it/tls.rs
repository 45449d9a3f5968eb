//! Encrypted connections to a server whose certificate a small authority has signed for `localhost`.

use stint_postgres::config::TestServers;
use stint_postgres::testing::{TestDatabase, run};
use stint_postgres::{FailureKind, PostgresSettings, SslMode};

use crate::open;

/// Returns the settings with this host and mode, and with the authority's certificate if the test server has one.
fn settings(database: &TestDatabase, host: &str, mode: SslMode) -> Option<PostgresSettings> {
    let mut settings = database.settings();
    settings.database_url = Some(database.url().replace("127.0.0.1", host).into());
    settings.postgres_sslmode = Some(mode);
    settings.postgres_retry_seconds = 10;
    settings.postgres_ca_file = Some(TestServers::from_environment()?.ca?);
    Some(settings)
}

/// Whether the session is encrypted; or the error.
async fn is_encrypted(settings: &PostgresSettings) -> Result<bool, String> {
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    match open(settings).query("read", sql, &[]).await {
        Ok(rows) => Ok(rows[0].get(0)),
        Err(failure) => {
            assert_eq!(failure.kind(), FailureKind::Refused, "{failure}");
            Err(failure.to_string())
        }
    }
}

#[test]
fn the_certificate_is_verified_as_the_mode_says() {
    run(async |database| {
        let Some(full) = settings(&database, "localhost", SslMode::VerifyFull) else { return };
        assert_eq!(is_encrypted(&full).await, Ok(true));
        let unknown = PostgresSettings { postgres_ca_file: None, ..full };
        let error = is_encrypted(&unknown).await.unwrap_err();
        assert!(error.contains("UnknownIssuer") && error.contains("set POSTGRES_CA_FILE"), "{error}");
        let by_address = settings(&database, "127.0.0.1", SslMode::VerifyFull).unwrap();
        let error = is_encrypted(&by_address).await.unwrap_err();
        assert!(error.contains("certificate is for another name"), "{error}");
        assert_eq!(is_encrypted(&settings(&database, "127.0.0.1", SslMode::VerifyCa).unwrap()).await, Ok(true));
    });
}

#[test]
fn a_lower_mode_verifies_less() {
    run(async |database| {
        let Some(with_ca) = settings(&database, "127.0.0.1", SslMode::Require) else { return };
        assert_eq!(is_encrypted(&with_ca).await, Ok(true));
        let without = PostgresSettings { postgres_ca_file: None, ..with_ca.clone() };
        assert_eq!(is_encrypted(&without).await, Ok(true));
        let unknown = PostgresSettings { postgres_sslmode: Some(SslMode::VerifyCa), ..without };
        assert!(is_encrypted(&unknown).await.unwrap_err().contains("UnknownIssuer"));
        let clear = PostgresSettings { postgres_sslmode: Some(SslMode::Disable), ..with_ca };
        assert_eq!(is_encrypted(&clear).await, Ok(false));
    });
}

#[test]
fn an_unusable_ca_file_is_named() {
    run(async |database| {
        let Some(mut settings) = settings(&database, "localhost", SslMode::VerifyFull) else { return };
        settings.postgres_ca_file = Some("/nothing/ca.pem".into());
        let error = stint_postgres::Postgres::open(&settings, "tests", crate::clock()).err().unwrap();
        assert!(error.to_string().contains("/nothing/ca.pem"), "{error}");
    });
}
