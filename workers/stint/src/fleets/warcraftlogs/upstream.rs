//! The stand-in for Warcraft Logs.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use stint_core::points::Points;
use stint_standins::WarcraftLogs;
use stint_standins::warcraftlogs::{Options, SectionFaults};

use crate::context::Context;
use crate::fleets::fleet::{Fleet, FleetCommand};
use crate::fleets::serve::{HELP, serve};

/// Warcraft Logs: points, tokens, and ranking pages.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Arguments {
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = 8091)]
    port: u16,
    /// How many players there are.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    players: u32,
    /// Points per window of each key, separated by commas.
    #[arg(long, default_value = "18000,3600", value_delimiter = ',')]
    limit: Vec<Points>,
    /// How long a key's window is, in seconds.
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..))]
    window: u64,
    /// The longest response time, in milliseconds.
    #[arg(long, default_value_t = 250)]
    latency: u64,
    /// Of 1,000 API calls, how many fail with a server error.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1000))]
    faults: u32,
    /// Of 1,000 raids and difficulties of characters, how many are null with an error that names them.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1000))]
    partial: u32,
    /// Of 1,000 raids and difficulties of characters, how many are null without an error.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1000))]
    nulls: u32,
    /// Raids and difficulties that are refused for every character, such as 28:4, separated by commas.
    #[arg(long, value_delimiter = ',', value_parser = raid_and_difficulty)]
    refuse: Vec<(u32, u32)>,
    /// The same seed makes the same players, ranks and costs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The address of the stand-in, and the settings that lead to it.
#[derive(Serialize)]
struct Address {
    wcl_api_url: String,
    wcl_token_url: String,
    wcl_site_url: String,
    wcl_keys: String,
    wcl_window_seconds: u64,
    books: String,
}

#[async_trait(?Send)]
impl FleetCommand for Arguments {
    /// Serves until Ctrl-C.
    async fn run(self, _: &'static dyn Fleet, context: &Context) -> anyhow::Result<()> {
        let options = options(&self, context);
        let upstream = WarcraftLogs::new(options.clone());
        serve(upstream, self.port, |port| address(&options, port), to_text, context).await
    }
}

fn options(arguments: &Arguments, context: &Context) -> Options {
    let window = Duration::from_secs(arguments.window);
    let now = context.clock.now();
    let mut options = Options::with_keys(arguments.seed, arguments.players, &arguments.limit, window, now);
    let longest = Duration::from_millis(arguments.latency);
    options.latency = (longest / 4, longest);
    options.faults.failed_before_charge = arguments.faults / 2;
    options.faults.failed_after_charge = arguments.faults - arguments.faults / 2;
    let (failed, absent, refused) = (arguments.partial, arguments.nulls, arguments.refuse.clone());
    options.section_faults = SectionFaults { failed, absent, refused, damage: None, counts_sections: true };
    options
}

fn raid_and_difficulty(text: &str) -> Result<(u32, u32), String> {
    let pair = text.split_once(':').and_then(|(raid, difficulty)| Some((raid.parse().ok()?, difficulty.parse().ok()?)));
    pair.ok_or_else(|| format!("'{text}' is not a raid and a difficulty, such as 28:4"))
}

fn address(options: &Options, port: u16) -> Address {
    let url = |path: &str| format!("http://127.0.0.1:{port}/{path}");
    let keys: Vec<String> = options.keys.iter().map(|key| format!("{}:{}", key.id, key.secret)).collect();
    Address {
        wcl_api_url: url("api/v2/client"),
        wcl_token_url: url("oauth/token"),
        wcl_site_url: url(""),
        wcl_keys: keys.join(","),
        wcl_window_seconds: options.window.as_secs(),
        books: url("standin/books"),
    }
}

fn to_text(address: &Address) -> String {
    let Address { wcl_api_url, wcl_token_url, wcl_site_url, wcl_keys, wcl_window_seconds, books } = address;
    format!(
        "a stand-in for Warcraft Logs; its counters are at {books}\nexport WCL_API_URL={wcl_api_url}\n\
         export WCL_TOKEN_URL={wcl_token_url}\nexport WCL_SITE_URL={wcl_site_url}\nexport WCL_KEYS={wcl_keys}\n\
         export WCL_WINDOW_SECONDS={wcl_window_seconds}\n"
    )
}
