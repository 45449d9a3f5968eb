//! How a stand-in is set up.

use std::time::Duration;

use jiff::Timestamp;
use stint_core::points::Points;

/// Everything that decides the answers, besides the requests themselves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides everything that looks like chance.
    pub seed: u64,
    /// How many players there are, up to twenty million (ids are 32 bits wide).
    pub players: u32,
    /// The (raid, difficulty) pairs that are ranked. At most 32; known raids are 26, 28 and 29, and 25 in difficulty 10, which are dungeons.
    pub rankings: Vec<(u32, u32)>,
    /// How many players are not what one expects.
    pub shares: Shares,
    /// How much a ranking tells.
    pub detail: Detail,
    /// The keys that may ask.
    pub keys: Vec<StandinKey>,
    /// How long a key's points last before they are granted anew.
    pub window: Duration,
    /// How long after the announced reset a call is still billed to the old window.
    pub reset_lag: Duration,
    /// From where windows are counted, and what the newest report is older than.
    pub started: Timestamp,
    /// How long an access token is good for. `None`: about a year, as upstream.
    pub token_lifetime: Option<Duration>,
    /// The shortest and the longest time an answer takes.
    pub latency: (Duration, Duration),
    /// How fast the API and the token endpoint may be asked, by one and all. `None`: as fast as one likes.
    pub api_rate: Option<Rate>,
    /// How fast ranking pages may be read; faster earns a ban. `None`: as fast as one likes. A burst of zero bans
    /// from the first page on, which is how the site has been since 2026.
    pub site_rate: Option<Rate>,
    /// What a ban looks like.
    pub ban: Ban,
    /// What goes wrong by itself.
    pub faults: Faults,
    /// The raids that are frozen from the beginning.
    pub frozen: Vec<u32>,
    /// What goes wrong within answers.
    pub sections: SectionFaults,
}

/// What goes wrong with a *section*: what an answer says of one character in one raid and difficulty. A section that goes
/// wrong costs as much as one that does not.
#[derive(Clone, Debug, Default)]
pub struct SectionFaults {
    /// Of a thousand, how many are null, with an error that names the section.
    pub failed: u32,
    /// Of a thousand, how many are null, without a word.
    pub absent: u32,
    /// The (raid, difficulty) pairs that are refused, though they are ranked.
    pub refused: Vec<(u32, u32)>,
    /// What a never classed character makes of an answer. `None`: one of the three, for each character its own.
    pub spoilt: Option<Spoilt>,
    /// Whether the books count which sections were answered, and which of them again: a few bytes for each.
    pub counted: bool,
}

/// What a never classed character makes of the answer to the whole document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoilt {
    /// Its text, and nothing else.
    TextOnly,
    /// Its text, and then the answer.
    TextFirst,
    /// No body.
    Nothing,
}

/// How much a ranking tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// As the real API: every boss, and all stars.
    #[default]
    Full,
    /// Only the first boss, and no all stars: a sixth of the bytes, for simulations of months in which prices matter
    /// and ranks do not. What is true of a player is cut down alike.
    Sparse,
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
    /// How far after [`Options::started`] a window of this key begins. Keys with different phases reset at different times.
    pub phase: Duration,
}

/// Odd players, in per mille of all.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// Whose rankings are hidden.
    pub hidden: u32,
    /// Who stand on ranking pages, but whom the API does not know.
    pub unknown: u32,
    /// Who spoil the whole answer with the text that no class is set.
    pub never_classed: u32,
    /// Whose canonical id is another one.
    pub transferred: u32,
}

/// A bucket of tokens: `burst` requests at once, and one more each `refill`.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many requests a full bucket holds.
    pub burst: u32,
    /// How long until one more is allowed.
    pub refill: Duration,
}

/// What happens to who reads pages too fast.
#[derive(Clone, Copy, Debug)]
pub struct Ban {
    /// How long it lasts.
    pub duration: Duration,
    /// What every page answers meanwhile.
    pub form: BanForm,
}

/// The two answers that a bot check has been seen to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanForm {
    /// 403 with `cf-mitigated: challenge`.
    Challenge,
    /// 302 to `/human-challenge`.
    Redirect,
}

/// Chances that a request goes wrong, each in per mille of all requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// 500, 502 or 520 with a page of HTML; nothing is executed or charged.
    pub failed_before_charge: u32,
    /// The same, after the request was executed and charged. On pages, like the one before.
    pub failed_after_charge: u32,
    /// 429 with a short `Retry-After`, though the bucket is not empty.
    pub rate_limited: u32,
    /// An answer that takes `slow_latency`.
    pub slow: u32,
    /// How long a slow answer takes; longer than the client's time-out, to make it give up.
    pub slow_latency: Duration,
}

/// The window of the real API.
const HOUR: Duration = Duration::from_secs(3600);

impl Default for Options {
    /// A thousand players, two keys that reset half a window apart, and nothing that goes wrong.
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
            sections: SectionFaults::default(),
        }
    }
}

impl Options {
    /// Raids 26, 28 and 29 in normal, heroic and mythic.
    pub fn all_rankings() -> Vec<(u32, u32)> {
        [26, 28, 29].into_iter().flat_map(|raid| [3, 4, 5].map(|difficulty| (raid, difficulty))).collect()
    }

    /// A key for each limit, named `key-1`, `key-2`, … with secrets `secret-1`, …, whose resets are spread over the window.
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

    /// A stand-in with `players` and a key for each of `limits`, counted from `started`.
    pub fn with_keys(seed: u64, players: u32, limits: &[Points], window: Duration, started: Timestamp) -> Options {
        let keys = Options::phased_keys(limits, window);
        Options { seed, players, keys, window, started, ..Options::default() }
    }

    /// The same, without the time that answers take.
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
    /// Nobody is odd.
    pub const NONE: Shares = Shares { hidden: 0, unknown: 0, never_classed: 0, transferred: 0 };
}
