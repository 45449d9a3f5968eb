//! Discovery rules: the ranking pages that are read regularly.

mod add;
mod implausible;
mod options;
mod view;

use anyhow::{bail, ensure};
use serde::Serialize;
use stint_warcraftlogs::discovery::upstream;
use stint_warcraftlogs::store::UpstreamPause;

use crate::context::Context;
use crate::fleets::warcraftlogs::stores::Stores;
use crate::format::count;
use crate::settings::from_environment;
use crate::table::Table;
use crate::time_format::format_time;
use stint_warcraftlogs::config::Settings;

pub(crate) use implausible::{active_pauses, hint, pause_of, pause_text};
use options::conflicts;
pub(crate) use view::{RuleState, RuleView};

/// What to do with rules.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List the rules: what each reads, how far it is, and when it is due again.
    List(List),
    /// Add a rule: read these ranking pages every day.
    Add(add::Add),
    /// Remove a rule; the players that it has discovered stay.
    Remove(Remove),
    /// Show the outline of an implausible page.
    Sample(implausible::Sample),
    /// Confirm that implausible pages are correct: the next discovery accepts the rule's pages as they are.
    Accept(implausible::Accept),
    /// End the pause of an upstream that has rejected discovery.
    Resume(implausible::Resume),
}

#[derive(clap::Args)]
#[command(after_help = "Example:\n  stint wcl rules list --max 20")]
struct List {
    /// Show at most this many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    max: u32,
}

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  stint wcl rules remove 638190fc00bc58421e002c83\n  stint wcl rules remove --all --yes"
)]
struct Remove {
    /// The rule's id, as `stint wcl rules list` shows it.
    #[arg(required_unless_present = "all")]
    id: Option<String>,
    /// Remove every rule.
    #[arg(long, conflicts_with = "id")]
    all: bool,
    /// Confirm the removal of every rule.
    #[arg(long, requires = "all")]
    yes: bool,
}

#[derive(Serialize)]
struct Listed {
    total: u64,
    rules: Vec<RuleView>,
    /// Upstreams that discovery leaves alone at the moment.
    resting: Vec<UpstreamPause>,
}

#[derive(Serialize)]
struct Removed {
    removed: u64,
}

/// Lists, adds or removes rules.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    match arguments.action {
        Action::List(arguments) => list(&arguments, context).await,
        Action::Add(arguments) => add::run(&arguments, context).await,
        Action::Remove(arguments) => remove(&arguments, context).await,
        Action::Sample(arguments) => arguments.run(context).await,
        Action::Accept(arguments) => arguments.run(context).await,
        Action::Resume(arguments) => arguments.run(context).await,
    }
}

async fn list(arguments: &List, context: &Context) -> anyhow::Result<()> {
    let store = Stores::existing(context).await?.rules;
    let page = store.list().await?;
    for damaged in &page.damaged {
        context.output.warning(&format!("rule {} cannot be read: {}; remove it", damaged.id, damaged.reason));
    }
    let rules = page.documents;
    conflicts(&rules).iter().for_each(|conflict| context.output.warning(conflict));
    let (settings, now) = (from_environment::<Settings>()?, context.clock.now());
    let resting: Vec<UpstreamPause> = active_pauses(store.upstreams().await?, now);
    let upstream = pause_of(&resting, &upstream(&settings));
    let view = |status| RuleView::new(status, settings.discovery_delay(), now).with_upstream_pause(upstream);
    let shown = rules.iter().take(arguments.max as usize).map(view).collect();
    for rule in rules.iter().filter(|status| status.doubt.is_some() && !status.accepted) {
        context.output.warning(&implausible::hint(rule));
    }
    let listed = Listed { total: rules.len() as u64, rules: shown, resting: resting.clone() };
    context.output.result(&listed, |listed| {
        if listed.rules.is_empty() {
            return "there are no discovery rules; add one, such as\n  stint wcl rules add --raid 26 --difficulty heroic \
                    --end-page 600\n"
                .into();
        }
        let mut table = Table::new(["id", "raid", "difficulty", "pages", "last run", "state"]);
        for rule in &listed.rules {
            let last_run = rule.last_run.map_or_else(|| "never".into(), |last_run| format_time(last_run, now));
            let pages = format!("{}-{}{}", rule.start_page, rule.end_page, rule.options.page_suffix());
            let (raid, difficulty) = (rule.raid_text(), rule.difficulty_text());
            table.row([rule.id.clone(), raid, difficulty, pages, last_run, rule.state_text(now)]);
        }
        let hidden = listed.total - listed.rules.len() as u64;
        let more = if hidden > 0 { format!("and {hidden} more; see them with --max\n") } else { String::new() };
        let resting = listed.resting.iter().map(|pause| format!("{}\n", implausible::pause_text(pause, now)));
        format!("{table}{more}{}", resting.collect::<String>())
    })
}

async fn remove(arguments: &Remove, context: &Context) -> anyhow::Result<()> {
    let stores = Stores::existing(context).await?;
    let rules = &stores.rules;
    let stored = rules.list().await?;
    // A damaged rule can still be removed.
    let damaged = stored.damaged.iter().map(|damaged| damaged.id.as_str());
    let all: Vec<&str> = stored.documents.iter().map(|status| status.rule.id.as_str()).chain(damaged).collect();
    let ids: Vec<&str> = match &arguments.id {
        Some(id) => vec![known(&all, id)?],
        None => all,
    };
    ensure!(
        arguments.id.is_some() || arguments.yes,
        "this would remove {}: add --yes to confirm; nothing was removed",
        count(ids.len() as u64, "rule", "rules")
    );
    let mut removed = 0;
    for id in ids {
        removed += u64::from(rules.remove(id).await?);
    }
    // The aggregator may have been waiting for this rule.
    stores.start_aggregator(context.clock.now()).await;
    context.output.result(&Removed { removed }, |_| format!("removed {}\n", count(removed, "rule", "rules")))
}

fn known<'a>(stored: &[&'a str], id: &str) -> anyhow::Result<&'a str> {
    match stored.iter().find(|stored| stored.eq_ignore_ascii_case(id)) {
        Some(stored) => Ok(stored),
        None => bail!("there is no rule '{id}'; see their ids with `stint wcl rules list`"),
    }
}
