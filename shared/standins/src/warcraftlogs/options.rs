//! The options of a stand-in.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::points::Points;

/// Everything that determines the answers, besides the requests themselves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The seed of all random values.
    pub seed: u64,
    /// The number of players, up to twenty million (ids are 32 bits wide).
    pub players: u32,
    /// The (raid, difficulty) pairs that have rankings. At most 32; known raids are 26, 28 and 29, and 25 in difficulty
    /// 10, which are dungeons.
    pub rankings: Vec<(u32, u32)>,
    /// The shares of unusual players.
    pub shares: Shares,
    /// The detail of a ranking.
    pub detail: Detail,
    /// The keys that may send requests.
    pub keys: Vec<StandinKey>,
    /// How long a key's points last until they are granted again.
    pub window: Duration,
    /// How long after the announced reset a call is still billed to the old window.
    pub reset_lag: Duration,
    /// The start of the windows. The newest report is older.
    pub started: Timestamp,
    /// The lifetime of an access token. `None`: about a year, as upstream.
    pub token_lifetime: Option<Duration>,
    /// The shortest and the longest latency of an answer.
    pub latency: (Duration, Duration),
    /// The rate limit of the API and of the token endpoint, shared by all clients. `None`: no limit.
    pub api_rate: Option<Rate>,
    /// The rate limit of ranking pages; reading faster leads to a ban. `None`: no limit. A burst of zero bans from the
    /// first page on, as the site has done since 2026.
    pub site_rate: Option<Rate>,
    /// The form of a ban.
    pub ban: Ban,
    /// Random faults.
    pub faults: Faults,
    /// The raids that are frozen from the beginning.
    pub frozen: Vec<u32>,
    /// Random faults within answers.
    pub section_faults: SectionFaults,
}

/// Faults of a *section*: the part of an answer about one character in one raid and difficulty. A section with a fault
/// costs as much as one without.
#[derive(Clone, Debug, Default)]
pub struct SectionFaults {
    /// Sections that are null, with an error that names the section, in per mille.
    pub failed: u32,
    /// Sections that are null without an error, in per mille.
    pub absent: u32,
    /// The (raid, difficulty) pairs that are refused, though they have rankings.
    pub refused: Vec<(u32, u32)>,
    /// How a character that was never classed damages an answer. `None`: one of the three ways, fixed for each
    /// character.
    pub damage: Option<Damage>,
    /// Whether [`Counters`](super::Counters) counts answered and repeated sections, at a few bytes for each.
    pub counts_sections: bool,
}

/// How a character that was never classed damages the answer to the whole document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Its text, and nothing else.
    TextOnly,
    /// Its text, and then the answer.
    TextThenJson,
    /// No body.
    EmptyBody,
}

/// The detail of a ranking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// As in the real API: every boss, and all-star points.
    #[default]
    Full,
    /// Only the first boss, without all-star points: a sixth of the bytes, for simulations of months in which prices
    /// matter and ranks do not. [`TrueRanks`](super::TrueRanks) is reduced in the same way.
    Reduced,
}

/// One key of the API.
#[derive(Clone, Debug)]
pub struct StandinKey {
    /// The client id.
    pub id: String,
    /// The client secret.
    pub secret: String,
    /// Points per window.
    pub limit: Points,
    /// The offset of this key's windows from [`Options::started`]. Keys with different phases reset at different times.
    pub phase: Duration,
}

/// Shares of unusual players, in per mille of all.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// Players whose rankings are hidden.
    pub hidden: u32,
    /// Players on ranking pages whom the API does not know.
    pub unknown: u32,
    /// Players who damage the whole answer with the text that no class is set.
    pub never_classed: u32,
    /// Players whose canonical id differs.
    pub transferred: u32,
}

/// A token bucket: `burst` requests at once, and one more each `refill`.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// The number of requests in a full bucket.
    pub burst: u32,
    /// The time until one more is allowed.
    pub refill: Duration,
}

/// The ban of a client that reads pages too fast.
#[derive(Clone, Copy, Debug)]
pub struct Ban {
    /// Its duration.
    pub duration: Duration,
    /// The answer of every page during the ban.
    pub form: BanForm,
}

/// The two observed answers of a bot check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanForm {
    /// 403 with `cf-mitigated: challenge`.
    Challenge,
    /// 302 to `/human-challenge`.
    Redirect,
}

/// Random faults, each in per mille of all requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// 500, 502 or 520 with a page of HTML; nothing is executed or charged.
    pub failed_before_charge: u32,
    /// The same, after the request was executed and charged. On pages, the same as the one before.
    pub failed_after_charge: u32,
    /// 429 with a short `Retry-After`, though the bucket is not empty.
    pub rate_limited: u32,
    /// An answer that takes `slow_latency`.
    pub slow: u32,
    /// The latency of a slow answer. If it is longer than the client's time-out, the client gives up.
    pub slow_latency: Duration,
}

/// The window of the real API.
const HOUR: Duration = Duration::from_secs(3600);

impl Default for Options {
    /// A thousand players, two keys that reset half a window apart, and no faults.
    fn default() -> Options {
        Options {
            seed: 1,
            players: 1000,
            rankings: Options::all_rankings(),
            shares: Shares::default(),
            detail: Detail::default(),
            keys: Options::phased_keys(&[Points::whole(18_000), Points::whole(3_600)], HOUR),
            window: HOUR,
            reset_lag: Duration::ZERO,
            started: Timestamp::UNIX_EPOCH,
            token_lifetime: None,
            latency: (Duration::from_millis(40), Duration::from_millis(400)),
            api_rate: None,
            site_rate: None,
            ban: Ban { duration: HOUR, form: BanForm::Challenge },
            faults: Faults::default(),
            frozen: Vec::new(),
            section_faults: SectionFaults::default(),
        }
    }
}

impl Options {
    /// Raids 26, 28 and 29 in normal, heroic and mythic.
    pub fn all_rankings() -> Vec<(u32, u32)> {
        [26, 28, 29].into_iter().flat_map(|raid| [3, 4, 5].map(|difficulty| (raid, difficulty))).collect()
    }

    /// Returns a key for each limit, named `key-1`, `key-2`, … with secrets `secret-1`, …, whose resets are spread over
    /// the window.
    pub fn phased_keys(limits: &[Points], window: Duration) -> Vec<StandinKey> {
        let share = window / u32::try_from(limits.len()).unwrap_or(u32::MAX).max(1);
        let keys = limits.iter().zip(0u32..).map(|(limit, position)| StandinKey {
            id: format!("key-{}", position + 1),
            secret: format!("secret-{}", position + 1),
            limit: *limit,
            phase: share * position,
        });
        keys.collect()
    }

    /// Returns options with `players` and a key for each of `limits`, whose windows start at `started`.
    pub fn with_keys(seed: u64, players: u32, limits: &[Points], window: Duration, started: Timestamp) -> Options {
        let keys = Options::phased_keys(limits, window);
        Options { seed, players, keys, window, started, ..Options::default() }
    }

    /// The same options without latency.
    pub fn instant(self) -> Options {
        Options { latency: (Duration::ZERO, Duration::ZERO), ..self }
    }
}

impl Default for Shares {
    fn default() -> Shares {
        Shares { hidden: 10, unknown: 5, never_classed: 5, transferred: 3 }
    }
}

impl Shares {
    /// No unusual players.
    pub const NONE: Shares = Shares { hidden: 0, unknown: 0, never_classed: 0, transferred: 0 };
}
