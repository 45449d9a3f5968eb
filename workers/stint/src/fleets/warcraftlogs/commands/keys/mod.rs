//! The keys' points and resets, and what calls cost.

mod costs;
mod view;
mod windows;

use anyhow::{bail, ensure};
use jiff::Timestamp;
use serde::Serialize;
use stint_core::clock::after;
use stint_core::ledger::KeyId;
use stint_core::ports::KeyPool;
use stint_core::worker::Worker;
use stint_warcraftlogs::budget::REVIVE;
use stint_warcraftlogs::reviver::Reviver;

use crate::context::Context;
use crate::fleets::warcraftlogs::outages::api_breaker;
use crate::fleets::warcraftlogs::stores::Stores;
use crate::settings::from_environment;
use crate::time_format::{TimeArgument, format_time, parse_duration};
use stint_warcraftlogs::config::Settings;

use costs::{CallCosts, costs_text};
pub(crate) use view::{KeyView, keys_text};
use windows::{Windows, windows_text};

/// Shows keys, or rests one.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  stint wcl keys --windows 24\n  stint wcl keys pause my-client-id --for 2h"
)]
pub(crate) struct Arguments {
    /// Show this many past windows of each key too, with the points that expired unspent.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    windows: Option<u32>,

    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Spend nothing of a key for a while.
    Pause(Pause),
    /// Spend the points of a paused key again.
    Resume(Resume),
    /// Forget what is known of a key: it is read again before it is used.
    Forget(Forget),
}

#[derive(clap::Args)]
#[command(
    group = clap::ArgGroup::new("end").required(true),
    after_help = "Examples:\n  stint wcl keys pause my-client-id --for '1h 30m'\n  stint wcl keys pause my-client-id --until 18:00"
)]
struct Pause {
    /// The key: its client id.
    key: String,
    /// Until this time: 15:00, '2026-11-20 15:00' (local) or 2026-11-20T15:00:00Z.
    #[arg(long, group = "end", value_name = "TIME", value_parser = TimeArgument::parse)]
    until: Option<TimeArgument>,
    /// For this long: 90s, 2h, '1d 12h'.
    #[arg(long = "for", group = "end", value_name = "DURATION", value_parser = parse_duration)]
    length: Option<std::time::Duration>,
}

#[derive(clap::Args)]
#[command(after_help = "Example:\n  stint wcl keys resume my-client-id")]
struct Resume {
    /// The key: its client id.
    key: String,
}

#[derive(clap::Args)]
#[command(
    after_help = "For a key whose recorded limit, counter, reset or pause is wrong. Its costs, and the holds of calls in progress, are kept.\n\nExample:\n  stint wcl keys forget my-client-id"
)]
struct Forget {
    /// The key: its client id.
    key: String,
}

#[derive(Serialize)]
struct Forgotten {
    forgotten: String,
}

#[derive(Serialize)]
struct Listed {
    keys: Vec<KeyView>,
    costs: Vec<CallCosts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    windows: Option<Windows>,
}

#[derive(Serialize)]
struct Changed {
    key: String,
    paused_until: Option<Timestamp>,
}

/// Lists, pauses, resumes or forgets keys.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    match arguments.action {
        None => list(arguments.windows, context).await,
        Some(Action::Pause(pause)) => {
            let now = context.clock.now();
            let exact = pause.until.and_then(|until| until.instant(now));
            let Some(until) = exact.or_else(|| pause.length.map(|length| after(now, length))) else {
                bail!("--until: there is no such time here");
            };
            ensure!(until > now, "--until: {} is in the past", format_time(until, now));
            set(&pause.key, Some(until), context).await
        }
        Some(Action::Resume(resume)) => set(&resume.key, None, context).await,
        Some(Action::Forget(Forget { key })) => forget(key, context).await,
    }
}

async fn list(windows: Option<u32>, context: &Context) -> anyhow::Result<()> {
    let pool = Stores::existing(context).await?.pool;
    let keys = pool.keys().await?;
    let windows = match windows {
        Some(max) => Some(Windows::read(&*pool, &keys, max as usize).await?),
        None => None,
    };
    let now = context.clock.now();
    let declared = from_environment::<Settings>()?.unit();
    let costs = CallCosts::all(&pool.costs().await?, declared);
    let listed = Listed { keys: KeyView::all(&keys, now), costs, windows };
    context.output.result(&listed, |listed| {
        let mut text = keys_text(&listed.keys, now);
        if !listed.costs.is_empty() {
            text.push('\n');
            text.push_str(&costs_text(&listed.costs, declared));
        }
        if let Some(windows) = &listed.windows {
            text.push('\n');
            text.push_str(&windows_text(windows, now));
        }
        text
    })
}

async fn set(key: &str, until: Option<Timestamp>, context: &Context) -> anyhow::Result<()> {
    let stores = Stores::existing(context).await?;
    if !stores.pool.pause(&KeyId(key.to_owned()), until).await? {
        bail!("there is no key '{key}'; {}", known(&*stores.pool).await?);
    }
    let now = context.clock.now();
    if until.is_none() {
        // The fleet may be waiting until the end of the key's rest, or until the next probe of the API.
        api_breaker(stores.breakers.clone(), &from_environment()?, context).probe_now().await;
        stores.wakeups.once(REVIVE, &Reviver::SPEC.id(), now).await?;
    }
    context.output.result(&Changed { key: key.to_owned(), paused_until: until }, |_| match until {
        Some(until) => {
            format!("{key} is paused until {}; resume it with `stint wcl keys resume {key}`\n", format_time(until, now))
        }
        None => format!("{key} is in use again\n"),
    })
}

async fn forget(key: String, context: &Context) -> anyhow::Result<()> {
    let stores = Stores::existing(context).await?;
    if !stores.pool.forget(&KeyId(key.clone())).await? {
        bail!("there is no key '{key}'; {}", known(&*stores.pool).await?);
    }
    stores.wakeups.once(REVIVE, &Reviver::SPEC.id(), context.clock.now()).await?;
    let forgotten = Forgotten { forgotten: key };
    context
        .output
        .result(&forgotten, |Forgotten { forgotten }| format!("{forgotten} is read again before it is used\n"))
}

async fn known(pool: &dyn KeyPool) -> anyhow::Result<String> {
    let keys: Vec<String> = pool.keys().await?.into_iter().take(20).map(|status| status.key.0).collect();
    if keys.is_empty() {
        return Ok("none is known yet: set WCL_KEYS and start `stint up`".into());
    }
    Ok(format!("there are: {}", keys.join(", ")))
}
