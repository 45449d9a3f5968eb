//! The fleet's settings. Each is documented here, once: this text is `--help`, `.env.example` and
//! `docs/configuration.md`.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::model::ChangeId;
use crate::store::Realm;

/// The settings of the `poe-stashes` fleet.
#[derive(Args, Clone, Debug)]
// Otherwise the group would have the name of the struct, which other fleets use too.
#[group(id = "poe-stashes")]
#[command(next_help_heading = "Settings of the poe-stashes fleet")]
pub struct Settings {
    /// The id of a confidential client that was granted the scope `service:psapi`. Needed by the follower.
    #[arg(long, env = "POE_CLIENT_ID")]
    pub poe_client_id: Option<String>,

    /// The client's secret.
    #[arg(long, env = "POE_CLIENT_SECRET", hide_env_values = true)]
    pub poe_client_secret: Option<SecretString>,

    /// A mail address at which the upstream can reach you. It requires one in the user agent of every request, so every
    /// worker that sends requests needs it.
    #[arg(long, env = "POE_CONTACT")]
    pub poe_contact: Option<String>,

    /// The address of the public stash API. The realm and `?id=` are appended.
    #[arg(long, env = "POE_API_URL", default_value = "https://api.pathofexile.com/public-stash-tabs")]
    pub poe_api_url: Url,

    /// The address of the token endpoint.
    #[arg(long, env = "POE_TOKEN_URL", default_value = "https://www.pathofexile.com/oauth/token")]
    pub poe_token_url: Url,

    /// The address of the river's head, from which the lag is measured. It is requested without a token, every two
    /// minutes.
    #[arg(long, env = "POE_HEAD_URL", default_value = "https://www.pathofexile.com/api/trade/data/change-ids")]
    pub poe_head_url: Url,

    /// The realm of the river to follow.
    #[arg(long, env = "POE_REALM", value_enum, default_value_t = Realm::Pc)]
    pub poe_realm: Realm,

    /// Where to start if there is no position yet: `head` (where the river has nothing for the next five minutes),
    /// `tail` (the newest page, which is found with about ten requests), `beginning` (months behind), or a change id.
    /// An existing position is always continued.
    #[arg(long, env = "POE_START", default_value = "tail")]
    pub poe_start: Start,

    /// The maximum size of a page, in bytes after decompression. A larger page is given up and reported, and the chain
    /// continues after it.
    #[arg(long, env = "POE_MAX_BODY", default_value_t = 64 * 1024 * 1024, value_parser = clap::value_parser!(u32).range(1024..))]
    pub poe_max_body: u32,

    /// How many pages' bodies may stream concurrently while the chain continues. Memory is limited by this number times
    /// a few megabytes.
    #[arg(long, env = "POE_OPEN_PAGES", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub poe_open_pages: u32,

    /// A follower that stores no progress for this many seconds is considered crashed, and another one may continue. It
    /// stores its progress three times as often, and before each request. If the record is in a bucket, at least 10,
    /// because one write may take seconds.
    #[arg(long, env = "POE_LEASE_SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub poe_lease_seconds: u32,

    /// How long, in seconds, the pages of an indexer that crashed stay invisible before they are indexed again. It is
    /// also the time limit for a batch of ten.
    #[arg(long, env = "POE_VISIBILITY_SECONDS", default_value_t = 150, value_parser = clap::value_parser!(u32).range(3..=43_200))]
    pub poe_visibility_seconds: u32,

    /// Where pages are stored: a folder, or `s3://bucket/prefix`, with AWS's own settings for region and credentials.
    /// Default: `poe-pages` in `STINT_HOME`. With queues on SQS it must be a bucket, because the chain's record is
    /// stored there too.
    #[arg(long, env = "POE_BLOBS")]
    pub poe_blobs: Option<Blobs>,

    /// A lag of more than this many seconds, in addition to the upstream's own delay of five minutes, raises an alarm.
    #[arg(long, env = "POE_LAG_ALARM_SECONDS", default_value_t = 300)]
    pub poe_lag_alarm_seconds: u32,

    /// The indexer deletes the history of items after this many days. Their current state is kept.
    #[arg(long, env = "POE_EVENT_DAYS", default_value_t = 3)]
    pub poe_event_days: u32,
}

/// Where a chain starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The current head of the river; it shows nothing there for five minutes.
    Head,
    /// The newest page that can be read.
    Tail,
    /// The first page of the river.
    Beginning,
    /// A page by its id.
    At(ChangeId),
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Start, String> {
        Ok(match text {
            "head" => Start::Head,
            "tail" => Start::Tail,
            "beginning" => Start::Beginning,
            id => Start::At(
                id.parse().map_err(|error| format!("expected head, tail, beginning, or a change id: {error}"))?,
            ),
        })
    }
}

/// Where pages are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blobs {
    /// A folder of this machine.
    Folder(std::path::PathBuf),
    /// An S3 bucket.
    S3 {
        /// Its name.
        bucket: String,
        /// The prefix of all keys; may be empty.
        prefix: String,
    },
}

impl FromStr for Blobs {
    type Err = String;

    fn from_str(text: &str) -> Result<Blobs, String> {
        let Some(place) = text.strip_prefix("s3://") else {
            if text.is_empty() || text.contains("://") {
                return Err("expected a folder, or s3://bucket/prefix".into());
            }
            return Ok(Blobs::Folder(text.into()));
        };
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        #[cfg(not(feature = "aws"))]
        if !bucket.is_empty() {
            return Err(crate::store::WITHOUT_S3.into());
        }
        if bucket.is_empty() {
            return Err("the bucket's name is missing: s3://bucket/prefix".into());
        }
        Ok(Blobs::S3 { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
    }
}

/// Within a lease, each of the three renewals must leave time for a write that S3 repeats.
const LEAST_LEASE_IN_BUCKET: u32 = 10;

impl Settings {
    /// Returns the client id, its secret and the contact address. The error names what is missing.
    pub fn client(&self) -> Result<(&str, &SecretString), String> {
        let missing = |variable: &str, what: &str| format!("{variable} is not set: the follower needs {what}");
        let id = self.poe_client_id.as_deref().filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| missing("POE_CLIENT_ID", "a confidential client with the scope service:psapi"))?;
        let secret = self.poe_client_secret.as_ref().filter(|secret| !secret.expose_secret().is_empty());
        Ok((id, secret.ok_or_else(|| missing("POE_CLIENT_SECRET", "the secret of its client"))?))
    }

    /// Returns the user agent `OAuth client/version (contact: address)`, which the upstream requires in every request.
    pub fn user_agent(&self) -> Result<String, String> {
        let missing = |variable: &str, what: &str| format!("{variable} is not set: the upstream requires {what}");
        let plain = |text: &&str| !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let id = self.poe_client_id.as_deref().filter(plain);
        let id = id.ok_or_else(|| missing("POE_CLIENT_ID", "the id of the client, in ASCII characters"))?;
        let contact = self.poe_contact.as_deref().filter(plain);
        let contact = contact.ok_or_else(|| missing("POE_CONTACT", "a contact address, such as you@example.org"))?;
        Ok(format!("OAuth {id}/{} (contact: {contact}) stint", env!("CARGO_PKG_VERSION")))
    }

    /// Checks that the settings are consistent. The error names them, and the remedy.
    pub fn check(&self) -> Result<(), String> {
        let in_bucket = matches!(self.poe_blobs, Some(Blobs::S3 { .. }));
        if in_bucket && self.poe_lease_seconds < LEAST_LEASE_IN_BUCKET {
            return Err(format!(
                "POE_LEASE_SECONDS is {}, and the chain's record is in the bucket of POE_BLOBS, where one write may take \
                 seconds: set it to {LEAST_LEASE_IN_BUCKET} at the least",
                self.poe_lease_seconds
            ));
        }
        Ok(())
    }

    /// After this time without progress, another follower may take over the chain.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.poe_lease_seconds.into())
    }

    /// The visibility timeout of stored pages: how long they stay with an indexer that crashed.
    pub fn visibility(&self) -> Duration {
        Duration::from_secs(self.poe_visibility_seconds.into())
    }

    /// The lag that raises an alarm.
    pub fn lag_alarm(&self) -> Duration {
        Duration::from_secs(self.poe_lag_alarm_seconds.into())
    }

    /// How long events are kept.
    pub fn event_retention(&self) -> Duration {
        Duration::from_secs(u64::from(self.poe_event_days) * 24 * 60 * 60)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        settings: Settings,
    }

    fn settings(arguments: &[&str]) -> Settings {
        Command::parse_from([&["stint"], arguments].concat()).settings
    }

    #[test]
    fn a_lease_outlasts_a_write_to_the_bucket() {
        let short = ["--poe-lease-seconds", "9"];
        assert_eq!(settings(&short).check(), Ok(()));
        let refused = settings(&[&short[..], &["--poe-blobs", "s3://bucket/pages"]].concat()).check().unwrap_err();
        assert!(refused.contains("POE_LEASE_SECONDS is 9") && refused.contains("10 at the least"), "{refused}");
        assert_eq!(settings(&["--poe-blobs", "s3://bucket/pages"]).check(), Ok(()));
    }

    #[test]
    fn missing_settings_are_named() {
        let none = settings(&["--poe-client-id", ""]);
        assert!(none.client().unwrap_err().starts_with("POE_CLIENT_ID is not set: "));
        let named = settings(&["--poe-client-id", "shop"]);
        assert!(named.client().unwrap_err().starts_with("POE_CLIENT_SECRET is not set: "));
        let empty = settings(&["--poe-client-id", "shop", "--poe-client-secret", ""]);
        assert!(empty.client().unwrap_err().starts_with("POE_CLIENT_SECRET is not set: "));
        assert!(named.user_agent().unwrap_err().starts_with("POE_CONTACT is not set: "));
        let whole =
            settings(&["--poe-client-id", "shop", "--poe-client-secret", "hidden", "--poe-contact", "a@b.example"]);
        assert!(whole.user_agent().unwrap().starts_with("OAuth shop/0."));
        assert!(whole.user_agent().unwrap().contains(" (contact: a@b.example)"));
        assert!(!format!("{whole:?}").contains("hidden"));
    }

    #[test]
    fn a_start_is_a_word_or_an_id() {
        assert_eq!(settings(&[]).poe_start, Start::Tail);
        assert_eq!("1-2-3-4-5".parse(), Ok(Start::At("1-2-3-4-5".parse().unwrap())));
        let error = "1-2-3".parse::<Start>().unwrap_err();
        assert!(error.starts_with("expected head, tail, beginning, or a change id: '1-2-3' has 3 parts"), "{error}");
    }

    #[test]
    fn pages_go_to_a_folder_or_a_bucket() {
        let bucket = |prefix: &str| Ok(Blobs::S3 { bucket: "pages".into(), prefix: prefix.into() });
        assert_eq!("s3://pages".parse(), bucket(""));
        assert_eq!("s3://pages/poe/2026/".parse(), bucket("poe/2026"));
        assert_eq!("./pages".parse(), Ok(Blobs::Folder("./pages".into())));
        for wrong in ["", "s3://", "gs://pages"] {
            assert!(wrong.parse::<Blobs>().is_err(), "{wrong}");
        }
    }
}
