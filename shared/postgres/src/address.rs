//! The address of the server, from a URL or from single settings. No error quotes the address, because a password with
//! a character that is not encoded may be anywhere in it.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use secrecy::ExposeSecret;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::config::{PostgresSettings, SslMode};

const MALFORMED: &str = "DATABASE_URL is malformed: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, with the \
                         characters @ : / ? # % and spaces of user and password percent-encoded, as in %40 for @";

/// The driver's own parameters of a URL.
const PARAMETERS: [&str; 15] = [
    "user",
    "password",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "options",
    "application_name",
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "tcp_user_timeout",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
];

/// Where the server is, and how the connection is encrypted.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) config: Config,
    pub(crate) sslmode: SslMode,
    pub(crate) ca_file: Option<PathBuf>,
}

impl Address {
    /// Reads the settings. An error names the setting and the remedy.
    pub(crate) fn of(settings: &PostgresSettings) -> Result<Address, String> {
        let missing = "DATABASE_URL is not set: name the database, as in postgres://USER:PASSWORD@HOST:5432/DATABASE, or \
                       set POSTGRES_HOST, POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB";
        let mut parsed = match &settings.database_url {
            Some(url) => Parsed::of(url.expose_secret())?,
            None if settings.is_set() => Parsed { config: parts(settings)?, sslmode: None, ca_file: None },
            None => return Err(missing.to_owned()),
        };
        if let (None, Some(password)) = (parsed.config.get_password(), &settings.postgres_password) {
            parsed.config.password(password.expose_secret());
        }
        let usual = if is_this_machine(&parsed.config) { SslMode::Disable } else { SslMode::VerifyFull };
        let sslmode = parsed.sslmode.or(settings.postgres_sslmode).unwrap_or(usual);
        let ca_file = parsed.ca_file.or_else(|| settings.postgres_ca_file.clone());
        Ok(Address { config: parsed.config, sslmode, ca_file })
    }

    /// Returns the host and the database, for messages.
    pub(crate) fn place(&self) -> String {
        let host = match (self.config.get_hosts().first(), self.config.get_hostaddrs().first()) {
            (Some(Host::Tcp(host)), _) => host.clone(),
            (Some(Host::Unix(path)), _) => path.display().to_string(),
            (None, Some(address)) => address.to_string(),
            (None, None) => "no host".to_owned(),
        };
        let port = self.config.get_ports().first().unwrap_or(&5432);
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!("{host}:{port}/{database}")
    }
}

/// What a URL says.
struct Parsed {
    config: Config,
    sslmode: Option<SslMode>,
    ca_file: Option<PathBuf>,
}

impl Parsed {
    fn of(url: &str) -> Result<Parsed, String> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://")).ok_or(MALFORMED)?;
        if !is_well_formed(rest) {
            return Err(MALFORMED.to_owned());
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut sslmode, mut ca_file, mut others) = (None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').ok_or(MALFORMED)? {
                ("sslmode", mode) => sslmode = Some(parse_mode(mode)?),
                ("sslrootcert", file) => ca_file = Some(PathBuf::from(decode(file)?)),
                (name, _) if PARAMETERS.contains(&name) => others.push(pair),
                _ => return Err(unknown_parameter()),
            }
        }
        let config: Config =
            format!("postgres://{place}?{}", others.join("&")).parse().map_err(|_| MALFORMED.to_owned())?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(format!("DATABASE_URL names no host. {MALFORMED}"));
        }
        Ok(Parsed { config, sslmode, ca_file })
    }
}

/// Whether all that is before the only `@` can be the user and the password, and what is behind it the host.
fn is_well_formed(rest: &str) -> bool {
    let (credentials, place) = rest.split_once('@').unwrap_or(("", rest));
    let reserved = |char: char| "/?#".contains(char);
    let blank = |char: char| char.is_whitespace() || char.is_control();
    !credentials.contains(reserved) && !place.contains(['@', '#']) && !rest.contains(blank)
}

fn unknown_parameter() -> String {
    format!("DATABASE_URL has a parameter that is not known; known are sslmode, sslrootcert, {}", PARAMETERS.join(", "))
}

fn parse_mode(mode: &str) -> Result<SslMode, String> {
    SslMode::from_str(mode, false).map_err(|_| {
        "sslmode in DATABASE_URL must be disable, require, verify-ca or verify-full; allow and prefer are not supported, \
         because they may send the password's proof and all data in the clear"
            .to_owned()
    })
}

/// Decodes a path by having the driver decode it as another parameter.
fn decode(value: &str) -> Result<String, String> {
    let config: Config = format!("postgres://?options={value}").parse().map_err(|_| MALFORMED.to_owned())?;
    Ok(config.get_options().unwrap_or_default().to_owned())
}

/// Returns the address from the single settings.
fn parts(settings: &PostgresSettings) -> Result<Config, String> {
    let mut config = Config::new();
    let host = settings.postgres_host.as_deref().unwrap_or("localhost");
    config.host(host).port(settings.postgres_port);
    let user = settings.postgres_user.as_ref().ok_or("POSTGRES_USER is not set: name the user of PostgreSQL")?;
    config.user(user);
    match (&settings.postgres_db, &settings.postgres_database) {
        (Some(one), Some(other)) if one != other => {
            return Err("POSTGRES_DB and POSTGRES_DATABASE name two databases: set one of them".to_owned());
        }
        (one, other) => one.as_ref().or(other.as_ref()).map(|name| config.dbname(name)),
    };
    Ok(config)
}

/// Whether all hosts are this machine, so that no network is in between.
fn is_this_machine(config: &Config) -> bool {
    let is_loopback = |name: &str| name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    config.get_hostaddrs().iter().all(IpAddr::is_loopback)
        && config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => is_loopback(name),
            Host::Unix(_) => true,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Result<Address, String> {
        Address::of(&PostgresSettings::at(url.into()))
    }

    #[test]
    fn a_url_names_everything() {
        let url = "postgresql://me:p%40ss%2Fword@db.example.org:6543/stats?sslmode=verify-ca&sslrootcert=%2Fca.pem";
        let address = address(url).unwrap();
        assert_eq!(address.place(), "db.example.org:6543/stats");
        assert_eq!(address.config.get_password(), Some(&b"p@ss/word"[..]));
        assert_eq!((address.sslmode, address.ca_file), (SslMode::VerifyCa, Some("/ca.pem".into())));
    }

    #[test]
    fn only_this_machine_is_reached_in_the_clear_by_default() {
        let mode = |url| address(url).unwrap().sslmode;
        for here in
            ["postgres://u@localhost", "postgres://u@127.0.0.1/d", "postgres://u@[::1]:5/d", "postgres://u@%2Frun"]
        {
            assert_eq!(mode(here), SslMode::Disable, "{here}");
        }
        for there in
            ["postgres://u@db/d", "postgres://u@10.0.0.1", "postgres://u@localhost,db", "postgres://u@localhost.x"]
        {
            assert_eq!(mode(there), SslMode::VerifyFull, "{there}");
        }
        assert!(address("postgres://u@db?sslmode=prefer").err().unwrap().contains("prefer are not supported"));
    }

    #[test]
    fn no_error_shows_a_part_of_the_password() {
        let urls = [
            "postgres://u:hidd?en=1@host/db",
            "postgres://u:hidd/en@host/db",
            "postgres://u:hidd@en@host/db",
            "postgres://u:hidd#en@host/db",
            "postgres://u:hidd en@host/db",
            "postgres://u:hidden",
            "postgres://u:hidden?hidden=1",
            "postgres://u@h?password=hidden&sslmode=hidden",
            "postgres://u:hidden@host:port/db",
            "postgres://u:hidden@/db",
            "mysql://u:hidden@host/db",
            "hidden",
            "",
        ];
        for url in urls {
            let error = address(url).err().unwrap_or_else(|| panic!("{url} is accepted"));
            assert!(error.contains("DATABASE_URL"), "{url}: {error}");
            assert!(!error.contains("hidd") && !error.contains("en@"), "{url}: {error}");
        }
    }

    #[test]
    fn single_settings_are_an_address() {
        let mut settings = PostgresSettings::at("".into());
        settings.database_url = None;
        assert!(Address::of(&settings).err().unwrap().starts_with("DATABASE_URL is not set"));
        settings.postgres_db = Some("stats".into());
        assert!(Address::of(&settings).err().unwrap().starts_with("POSTGRES_USER is not set"));
        settings.postgres_user = Some("me".into());
        settings.postgres_password = Some("p w".into());
        let address = Address::of(&settings).unwrap();
        assert_eq!(address.place(), "localhost:5432/stats");
        assert_eq!(address.config.get_password(), Some(&b"p w"[..]));
        settings.postgres_database = Some("other".into());
        assert!(Address::of(&settings).err().unwrap().contains("two databases"));
    }

    #[test]
    fn a_url_without_a_password_takes_the_single_one() {
        let mut settings = PostgresSettings::at("postgres://me@localhost/stats".into());
        settings.postgres_password = Some("one".into());
        assert_eq!(Address::of(&settings).unwrap().config.get_password(), Some(&b"one"[..]));
        settings.database_url = Some("postgres://me:two@localhost/stats".into());
        assert_eq!(Address::of(&settings).unwrap().config.get_password(), Some(&b"two"[..]));
    }
}
