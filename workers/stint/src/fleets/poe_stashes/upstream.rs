//! The stand-in for the public stash river of Path of Exile.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use serde::Serialize;
use stint_standins::PoeStashes;
use stint_standins::poe_stashes::{Counting, Era, Faults, Options, Window};

use crate::context::Context;
use crate::fleets::fleet::{Fleet, FleetCommand};
use crate::fleets::serve::{HELP, serve};

/// The public stash river of Path of Exile: pages, limits in headers, and bans.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Arguments {
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = 8092)]
    port: u16,
    /// The item format: that of 2016, 2022 or 2026.
    #[arg(long, default_value_t = 2026, value_parser = clap::value_parser!(u16).range(2016..=2026))]
    era: u16,
    /// How many stashes are edited in a second.
    #[arg(long, default_value_t = 64)]
    edits: u32,
    /// How much history the river has, in seconds. The river shows nothing of the last five minutes.
    #[arg(long, default_value_t = 3600)]
    history: u64,
    /// The most edits on a page.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    page: u32,
    /// The most items in a stash. An item is about 790 bytes.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(..=1000))]
    items: u32,
    /// The limits as their header has them: requests, seconds, and seconds of restriction; several separated by commas.
    #[arg(long, default_value = "2:1:60", value_delimiter = ',', value_parser = window)]
    rate: Vec<Window>,
    /// Count requests in consecutive periods, instead of the period before each request.
    #[arg(long)]
    fixed: bool,
    /// How many 4xx responses are sent until everything is refused for good.
    #[arg(long, default_value_t = 50)]
    ban_after: u64,
    /// Leave out the header `X-Next-Change-Id`.
    #[arg(long)]
    no_next_id_header: bool,
    /// How long an access token is valid, in seconds.
    #[arg(long, default_value_t = 36_000)]
    token_seconds: u64,
    /// The longest time until the headers of a response, in milliseconds; the shortest is four fifths of it.
    #[arg(long, default_value_t = 55)]
    latency: u64,
    /// The rate at which a page is sent, in bytes per second. Without it a page is sent at once.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    bytes_per_second: Option<u64>,
    /// Of 1,000 requests for a page, how many fail with a 502 or a 503.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=500))]
    faults: u32,
    /// Of 1,000 pages, how many are truncated within the body.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=500))]
    cuts: u32,
    /// The same seed makes the same stashes, items and faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The address of the stand-in, and the settings that lead to it.
#[derive(Serialize)]
struct Address {
    poe_client_id: String,
    poe_client_secret: String,
    poe_contact: String,
    poe_api_url: String,
    poe_token_url: String,
    poe_head_url: String,
    books: String,
}

#[async_trait(?Send)]
impl FleetCommand for Arguments {
    /// Serves until Ctrl-C.
    async fn run(self, _: &'static dyn Fleet, context: &Context) -> anyhow::Result<()> {
        let options = options(&self, context)?;
        let upstream = PoeStashes::new(options.clone());
        serve(upstream, self.port, |port| address(&options, port), to_text, context).await
    }
}

fn options(arguments: &Arguments, context: &Context) -> anyhow::Result<Options> {
    let longest = Duration::from_millis(arguments.latency);
    let faults = Faults {
        bad_gateway: arguments.faults / 2,
        unavailable: arguments.faults - arguments.faults / 2,
        cut: arguments.cuts,
    };
    Ok(Options {
        seed: arguments.seed,
        started: context.clock.now(),
        era: era(arguments.era)?,
        edits_per_second: arguments.edits,
        history: Duration::from_secs(arguments.history),
        stashes_per_page: arguments.page,
        items_per_stash: (0, arguments.items),
        windows: arguments.rate.clone(),
        counting: if arguments.fixed { Counting::Fixed } else { Counting::Sliding },
        ban_after: arguments.ban_after,
        next_id_header: !arguments.no_next_id_header,
        token_lifetime: Duration::from_secs(arguments.token_seconds),
        latency: (longest * 4 / 5, longest),
        bytes_per_second: arguments.bytes_per_second,
        faults,
        ..Options::default()
    })
}

fn era(year: u16) -> anyhow::Result<Era> {
    let eras = [(2016, Era::Y2016), (2022, Era::Y2022), (2026, Era::Y2026)];
    let era = eras.into_iter().find(|(known, _)| *known == year).map(|(_, era)| era);
    era.with_context(|| format!("there is no item format of {year}: --era is 2016, 2022 or 2026"))
}

/// Parses a limit such as `2:1:60`.
fn window(text: &str) -> anyhow::Result<Window> {
    let numbers = text.split(':').map(str::parse).collect::<Result<Vec<u32>, _>>();
    let numbers = numbers.with_context(|| format!("'{text}' is not three numbers separated by colons"))?;
    ensure!(numbers.len() == 3, "'{text}' is not three numbers separated by colons");
    ensure!(numbers[0] > 0 && numbers[1] > 0, "'{text}' permits no request");
    Ok(Window::of(numbers[0], u64::from(numbers[1]), u64::from(numbers[2])))
}

fn address(options: &Options, port: u16) -> Address {
    let url = |path: &str| format!("http://127.0.0.1:{port}/{path}");
    Address {
        poe_client_id: options.client_id.clone(),
        poe_client_secret: options.client_secret.clone(),
        poe_contact: "nobody@example.com".to_owned(),
        poe_api_url: url("public-stash-tabs"),
        poe_token_url: url("oauth/token"),
        poe_head_url: url("api/trade/data/change-ids"),
        books: url("standin/books"),
    }
}

fn to_text(address: &Address) -> String {
    let Address { poe_client_id, poe_client_secret, poe_contact, poe_api_url, poe_token_url, poe_head_url, books } =
        address;
    format!(
        "a stand-in for the public stash river; its counters are at {books}\nexport POE_CLIENT_ID={poe_client_id}\n\
         export POE_CLIENT_SECRET={poe_client_secret}\nexport POE_CONTACT={poe_contact}\nexport POE_API_URL={poe_api_url}\n\
         export POE_TOKEN_URL={poe_token_url}\nexport POE_HEAD_URL={poe_head_url}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_written_as_in_its_header() {
        assert_eq!(window("2:1:60").expect("a window"), Window::of(2, 1, 60));
        for bad in ["", "2", "2:1", "2:1:60:4", "two:1:60", "0:1:60", "2:0:60", "-2:1:60"] {
            assert!(window(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_era_is_one_of_three() {
        assert_eq!(era(2022).expect("an era"), Era::Y2022);
        assert!(era(2023).expect_err("none").to_string().contains("2016, 2022 or 2026"));
    }
}
