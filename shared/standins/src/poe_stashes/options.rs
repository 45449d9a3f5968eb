//! How a stand-in is set up.

use std::time::Duration;

use jiff::Timestamp;

/// Everything that decides the answers, besides the requests themselves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides everything that looks like chance.
    pub seed: u64,
    /// When the stand-in opens: fixed windows are counted from here.
    pub started: Timestamp,
    /// The shapes of items.
    pub era: Era,
    /// How many stashes are edited in a second.
    pub edits_per_second: u32,
    /// How much of the river there was before [`started`](Options::started).
    pub history: Duration,
    /// How far the river lags behind the game.
    pub delay: Duration,
    /// What the five counters of shards stand at when the river begins.
    pub bases: [u64; 5],
    /// How many stashes there are. A multiple of five.
    pub stashes: u32,
    /// The cap of a page, in edits; a stash that was edited twice is listed once.
    pub stashes_per_page: u32,
    /// The fewest and the most items in a public stash. An item is about 790 bytes.
    pub items_per_stash: (u32, u32),
    /// Of 1,000 edits, how many take a stash out of the public.
    pub unlisted: u32,
    /// Whether answers carry `X-Next-Change-Id`.
    pub next_id_header: bool,
    /// The limits on pages, all under the rule `Ip`.
    pub windows: Vec<Window>,
    /// How they count.
    pub counting: Counting,
    /// Answers of 4xx after which everything is refused for good.
    pub ban_after: u64,
    /// The client that may ask.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// How long an access token is good for.
    pub token_lifetime: Duration,
    /// Whether the token endpoint says so; else `expires_in` is null.
    pub tells_token_lifetime: bool,
    /// The shortest and the longest time to the head of an answer.
    pub latency: (Duration, Duration),
    /// The pace at which pages come; `None` for all at once.
    pub bytes_per_second: Option<u64>,
    /// What goes wrong by itself.
    pub faults: Faults,
}

/// The shapes that items have had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Era {
    /// No `baseType`, names with markup, modifiers as text, and `public` behind the items.
    Y2016,
    /// `baseType` and `extended`, modifiers as text.
    Y2022,
    /// Modifiers as objects; some items have a `frameTypeId` in place of the `frameType`.
    #[default]
    Y2026,
}

/// At the most `max_hits` requests in any `period`; one more, and nothing is answered for `restriction`.
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
    /// A window in the numbers of the header: hits, and seconds.
    pub const fn of(max_hits: u32, period: u64, restriction: u64) -> Window {
        Window { max_hits, period: Duration::from_secs(period), restriction: Duration::from_secs(restriction) }
    }
}

/// What counts as a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counting {
    /// The period before each request.
    #[default]
    Sliding,
    /// One period after the other, counted from [`Options::started`].
    Fixed,
}

/// What goes wrong by itself, in per mille of the requests for a page. At the most one of them happens to a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A 502 of the edge: without the headers of the limits, and not counted.
    pub bad_gateway: u32,
    /// A 503 of the river itself: counted.
    pub unavailable: u32,
    /// A page whose connection ends within the body.
    pub cut: u32,
}

impl Default for Options {
    /// The limit that was seen in 2023 and 2026, and a river that a client at this limit overtakes.
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
    /// The same, without the time that answers take.
    #[must_use]
    pub fn instant(self) -> Options {
        Options { latency: (Duration::ZERO, Duration::ZERO), ..self }
    }
}
