//! The options of a stand-in.

use std::time::Duration;

use jiff::Timestamp;

/// Everything that determines the answers, besides the requests themselves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The seed of all random values.
    pub seed: u64,
    /// When the stand-in starts: fixed windows are counted from here.
    pub started: Timestamp,
    /// The format of items.
    pub era: Era,
    /// The number of stash edits per second.
    pub edits_per_second: u32,
    /// How long before [`started`](Options::started) the river begins.
    pub history: Duration,
    /// How far the river lags behind the game.
    pub delay: Duration,
    /// The five shard counters at the beginning of the river.
    pub bases: [u64; 5],
    /// The number of stashes. A multiple of five.
    pub stashes: u32,
    /// The cap of a page, in edits; a stash that was edited twice is listed once.
    pub stashes_per_page: u32,
    /// The fewest and the most items in a public stash. An item is about 790 bytes.
    pub items_per_stash: (u32, u32),
    /// Edits that make a stash private, per mille.
    pub unlisted: u32,
    /// Whether answers carry `X-Next-Change-Id`.
    pub next_id_header: bool,
    /// The limits on pages, all under the rule `Ip`.
    pub windows: Vec<Window>,
    /// How they count.
    pub counting: Counting,
    /// The number of 4xx answers after which every request is refused permanently.
    pub ban_after: u64,
    /// The id of the client that may send requests.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The lifetime of an access token.
    pub token_lifetime: Duration,
    /// Whether the token endpoint announces the lifetime; otherwise `expires_in` is null.
    pub tells_token_lifetime: bool,
    /// The shortest and the longest time to the head of an answer.
    pub latency: (Duration, Duration),
    /// The transfer rate of pages; `None` for all at once.
    pub bytes_per_second: Option<u64>,
    /// Random faults.
    pub faults: Faults,
}

/// The formats that items have had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Era {
    /// No `baseType`, names with markup, modifiers as text, and `public` after the items.
    Y2016,
    /// `baseType` and `extended`, modifiers as text.
    Y2022,
    /// Modifiers as objects; some items have a `frameTypeId` instead of the `frameType`.
    #[default]
    Y2026,
}

/// At most `max_hits` requests per `period`. A request over the limit blocks all requests for `restriction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Requests.
    pub max_hits: u32,
    /// Whole seconds.
    pub period: Duration,
    /// Whole seconds.
    pub restriction: Duration,
}

impl Window {
    /// Returns a window from the numbers of the header: requests, and seconds.
    pub const fn of(max_hits: u32, period: u64, restriction: u64) -> Window {
        Window { max_hits, period: Duration::from_secs(period), restriction: Duration::from_secs(restriction) }
    }
}

/// How a period is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counting {
    /// The period before each request.
    #[default]
    Sliding,
    /// Consecutive periods, counted from [`Options::started`].
    Fixed,
}

/// Random faults, in per mille of the requests for a page. At most one of them happens to a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A 502 of the CDN: without the rate-limit headers, and not counted by the limits.
    pub bad_gateway: u32,
    /// A 503 of the stash API itself: counted.
    pub unavailable: u32,
    /// A page whose connection closes within the body.
    pub cut: u32,
}

impl Default for Options {
    /// The limit observed in 2023 and 2026, and a river that a client at this limit can catch up with.
    fn default() -> Options {
        Options {
            seed: 1,
            started: Timestamp::UNIX_EPOCH,
            era: Era::default(),
            edits_per_second: 64,
            history: Duration::from_secs(3600),
            delay: Duration::from_secs(300),
            bases: [3_278_697_332, 3_203_624_673, 3_129_327_201, 3_479_175_554, 3_367_790_506],
            stashes: 50_000,
            stashes_per_page: 100,
            items_per_stash: (0, 6),
            unlisted: 100,
            next_id_header: true,
            windows: vec![Window::of(2, 1, 60)],
            counting: Counting::Sliding,
            ban_after: 50,
            client_id: "stand-in".to_owned(),
            client_secret: "secret".to_owned(),
            token_lifetime: Duration::from_secs(10 * 3600),
            tells_token_lifetime: true,
            latency: (Duration::from_millis(45), Duration::from_millis(55)),
            bytes_per_second: None,
            faults: Faults::default(),
        }
    }
}

impl Options {
    /// The same options without latency.
    #[must_use]
    pub fn instant(self) -> Options {
        Options { latency: (Duration::ZERO, Duration::ZERO), ..self }
    }
}
