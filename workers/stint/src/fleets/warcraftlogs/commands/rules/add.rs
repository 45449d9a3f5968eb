//! Adding rules.

use anyhow::{anyhow, bail};
use jiff::Timestamp;
use serde::Serialize;
use stint_warcraftlogs::model::Difficulty;
use stint_warcraftlogs::store::{LAST_PAGE, Rule, RuleStatus};
use stint_warcraftlogs::{names, raids};

use super::options::{RuleOptions, refuse_conflict};
use crate::context::Context;
use crate::fleets::warcraftlogs::stores::Stores;
use crate::settings::from_environment;
use crate::usage::WrongUsage;
use stint_warcraftlogs::config::Settings;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  stint wcl rules add --raid 26 --difficulty heroic --end-page 600\n  \
                        stint wcl rules add --raid 28 --difficulty 3,4,5 --start-page 1 --end-page 400\n  \
                        stint wcl rules add --raid 44 --difficulty heroic --end-page 50 --partition 2 --region EU --server \
                        tarren-mill")]
pub(super) struct Add {
    /// The raid's id in Warcraft Logs, such as 26 for Castle Nathria.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    raid: u32,
    /// lfr (1), normal (3), heroic (4) or mythic (5). Several, separated by commas, add a rule each.
    #[arg(long, required = true, value_delimiter = ',', value_parser = names::parse_difficulty)]
    difficulty: Vec<Difficulty>,
    /// The first page, from 1.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(LAST_PAGE)))]
    start_page: u32,
    /// The last page to read. A page has 100 players, and a page past the end ends the rule.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(LAST_PAGE)))]
    end_page: u32,
    #[command(flatten)]
    options: RuleOptions,
}

#[derive(Serialize)]
struct Added {
    rules: Vec<AddedRule>,
}

#[derive(Serialize)]
struct AddedRule {
    id: String,
    raid: u32,
    difficulty: Difficulty,
    start_page: u32,
    end_page: u32,
    #[serde(flatten)]
    options: RuleOptions,
}

pub(super) async fn run(arguments: &Add, context: &Context) -> anyhow::Result<()> {
    if arguments.end_page < arguments.start_page {
        let Add { start_page, end_page, .. } = arguments;
        return Err(WrongUsage::error(format!("--end-page {end_page} comes before --start-page {start_page}")));
    }
    arguments.options.check(from_environment::<Settings>()?.discovery_source)?;
    let new = new_rules(arguments, context.clock.now())?;
    let stores = Stores::from_environment(context).await?;
    let rules = &stores.rules;
    let stored = rules.list().await?.documents;
    new.iter().try_for_each(|rule| refuse_overlap(rule, &stored))?;
    new.iter().try_for_each(|rule| refuse_conflict(rule, &stored))?;
    for rule in &new {
        rules.put(rule).await?;
    }
    stores.start_discovery(context.clock.now()).await;
    let added = new.into_iter().map(|rule| AddedRule {
        options: RuleOptions::of(&rule),
        id: rule.id,
        raid: rule.raid,
        difficulty: rule.difficulty,
        start_page: rule.start_page,
        end_page: rule.end_page,
    });
    context.output.result(&Added { rules: added.collect() }, to_text)
}

fn new_rules(arguments: &Add, now: Timestamp) -> anyhow::Result<Vec<Rule>> {
    let Add { raid, start_page, end_page, .. } = *arguments;
    let mut difficulties = arguments.difficulty.clone();
    difficulties.sort_unstable();
    difficulties.dedup();
    let rule = |difficulty| {
        let rule = Rule { id: new_id(now)?, raid, difficulty, start_page, end_page, ..Rule::default() };
        let rule = arguments.options.apply_to(rule);
        rule.check().map_err(|reason| anyhow!(reason))?;
        raids::check_difficulty(raid, difficulty)
            .map_err(|reason| WrongUsage::error(format!("--difficulty: {reason}; nothing was added")))?;
        Ok(rule)
    };
    difficulties.into_iter().map(rule).collect()
}

/// Two rules for the same page would read it twice a day to no benefit.
fn refuse_overlap(rule: &Rule, stored: &[RuleStatus]) -> anyhow::Result<()> {
    let table = |rule: &Rule| {
        let Rule { raid, difficulty, partition, size, metric, region, server, guild, .. } = rule.clone();
        (raid, difficulty, partition, size, metric, region, server, guild)
    };
    let overlaps = |other: &Rule| {
        table(other) == table(rule) && other.start_page <= rule.end_page && rule.start_page <= other.end_page
    };
    match stored.iter().map(|status| &status.rule).find(|other| overlaps(other)) {
        None => Ok(()),
        Some(Rule { id, raid, difficulty, start_page, end_page, .. }) => bail!(
            "{} in {} already has the rule {id} for pages {start_page} to {end_page}; nothing was added. Remove it \
             first with `stint wcl rules remove {id}`, or choose other pages",
            names::raid(*raid),
            names::difficulty(*difficulty)
        ),
    }
}

/// Returns an id in the form of MongoDB's own: four bytes of time in seconds, and eight bytes from the operating
/// system's random source.
fn new_id(now: Timestamp) -> anyhow::Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| anyhow!("the system has no random bytes for an id: {error}"))?;
    let seconds = u32::try_from(now.as_second()).unwrap_or_default();
    Ok(format!("{seconds:08x}{:016x}", u64::from_be_bytes(random)))
}

fn to_text(added: &Added) -> String {
    let lines = added.rules.iter().map(|AddedRule { id, raid, difficulty, start_page, end_page, options }| {
        let (raid, difficulty) = (names::raid(*raid), names::difficulty(*difficulty));
        format!("added {id}: {raid}, {difficulty}, pages {start_page} to {end_page}{}\n", options.page_suffix())
    });
    lines.collect::<String>() + "`stint up` discovers their players; `stint status` shows the progress\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_begin_with_the_time_and_differ() {
        let now = Timestamp::from_second(0x6381_90fc).unwrap();
        let (first, second) = (new_id(now).unwrap(), new_id(now).unwrap());
        assert!(first.len() == 24 && first.starts_with("638190fc"), "{first}");
        assert_ne!(first, second);
    }
}
