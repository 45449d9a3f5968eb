//! The options of a rule besides its raid, difficulty and pages.

use anyhow::bail;
use serde::Serialize;
use stint_warcraftlogs::discovery::DiscoverySource;
use stint_warcraftlogs::names;
use stint_warcraftlogs::player_ref::parse_region;
use stint_warcraftlogs::rank_queries::Conflict;
use stint_warcraftlogs::store::{METRICS, Rule, RuleStatus, parse_partition, parse_size};

/// The options of a rule, as flags and as they are shown.
#[derive(clap::Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "What to read")]
pub(crate) struct RuleOptions {
    /// A part of the raid's time, such as a patch, by its number in `stint wcl raids`; -1 means all of them. Also
    /// applies to the ranks that are requested.
    #[arg(long, allow_negative_numbers = true, value_parser = parse_partition)]
    pub(crate) partition: Option<i32>,
    /// The size of the group, if the raid has several. Also applies to the ranks that are requested.
    #[arg(long, value_parser = parse_size)]
    pub(crate) size: Option<u32>,
    /// The metric of the ranking pages, such as dps. Also applies to the ranks that are requested.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(METRICS))]
    pub(crate) metric: Option<String>,
    /// Only players of this region: US, EU, KR, TW or CN.
    #[arg(long, value_parser = |text: &str| parse_region(text).map(str::to_owned))]
    pub(crate) region: Option<String>,
    /// Only players of this server of the region: its slug, such as tarren-mill.
    #[arg(long, requires = "region")]
    pub(crate) server: Option<String>,
    /// Only players in the reports of this guild of the server, where DISCOVERY_SOURCE is reports.
    #[arg(long, requires = "server")]
    pub(crate) guild: Option<String>,
}

impl RuleOptions {
    /// Returns the options of a rule.
    pub(crate) fn of(rule: &Rule) -> RuleOptions {
        let Rule { partition, size, metric, region, server, guild, .. } = rule.clone();
        RuleOptions { partition, size, metric, region, server, guild }
    }

    /// Returns the rule with these options.
    pub(super) fn apply_to(&self, rule: Rule) -> Rule {
        let RuleOptions { partition, size, metric, region, server, guild } = self.clone();
        let server = server.map(|server| server.to_lowercase());
        Rule { partition, size, metric, region, server, guild, ..rule }
    }

    /// Formats the options: `hps, partition 2, size 25, EU tarren-mill, guild Écho`. Empty if there are none.
    pub(crate) fn to_text(&self) -> String {
        let place = self.region.as_ref().map(|region| match &self.server {
            Some(server) => format!("{region} {server}"),
            None => region.clone(),
        });
        let options = [
            self.metric.clone(),
            self.partition.map(|partition| format!("partition {partition}")),
            self.size.map(|size| format!("size {size}")),
            place,
            self.guild.as_ref().map(|guild| format!("guild {guild}")),
        ];
        options.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// Formats the options for use after the page numbers.
    pub(super) fn page_suffix(&self) -> String {
        Some(self.to_text()).filter(|words| !words.is_empty()).map_or_else(String::new, |words| format!(" of {words}"))
    }

    /// Refuses options that the source of players does not support.
    pub(super) fn check(&self, source: DiscoverySource) -> anyhow::Result<()> {
        if self.guild.is_some() && source == DiscoverySource::Pages {
            bail!(
                "--guild: ranking pages cannot be narrowed to a guild; set DISCOVERY_SOURCE=reports, or leave --guild out \
                 and read the pages of --server"
            );
        }
        Ok(())
    }
}

/// Refuses a rule that conflicts with a stored one. A player's ranks in one raid and difficulty are requested once,
/// with one set of options.
pub(super) fn refuse_conflict(rule: &Rule, stored: &[RuleStatus]) -> anyhow::Result<()> {
    for status in stored {
        let Some(Conflict { field, one, other }) = Conflict::between(rule, &status.rule) else { continue };
        let id = &status.rule.id;
        bail!(
            "--{field}: ranks of {} in {} are requested with {field} {other} by the rule {id}, and can be requested in one way \
             only; nothing was added. Use {other} instead of {one}, or remove that rule first with `stint wcl rules remove {id}`",
            names::raid(rule.raid),
            names::difficulty(rule.difficulty),
        );
    }
    Ok(())
}

/// Describes conflicts among rules that were stored without this check, such as by an import.
pub(super) fn conflicts(rules: &[RuleStatus]) -> Vec<String> {
    let mut found = Vec::new();
    for (position, one) in rules.iter().enumerate() {
        for other in &rules[position + 1..] {
            let Some(Conflict { field, one: said, other: otherwise }) = Conflict::between(&one.rule, &other.rule)
            else {
                continue;
            };
            found.push(format!(
                "the rules {} and {} name {field} {said} and {otherwise} for the same ranks, which are requested by \
                 the settings; remove one of them",
                one.rule.id, other.rule.id
            ));
        }
    }
    found
}
