//! The settings that say how ranks are requested.

use clap::{Args, ValueEnum};

use super::RankOptions;
use crate::setting_values::parse_enum_literal;
use crate::store::{parse_partition, parse_size};

/// How ranks are asked for, where a rule does not say otherwise.
#[derive(Args, Clone, Debug, Default)]
pub struct RankSettings {
    /// The metric to rank by, such as `dps`; without it the upstream takes the one that fits the character. Of several, with
    /// commas between them, each costs WCL_CALL_BUDGET: the first goes into the databases, `players` keeps all of them.
    #[arg(long, env = "WCL_METRIC", value_delimiter = ',', value_parser = parse_enum_literal)]
    pub wcl_metric: Vec<String>,

    /// The partition of a raid, such as a patch, by its number in `stint wcl raids`; -1 means all of them. Without it the upstream
    /// takes the latest.
    #[arg(long, env = "WCL_PARTITION", allow_negative_numbers = true, value_parser = parse_partition)]
    pub wcl_partition: Option<i32>,

    /// The size of the group, where a raid has several; without it the upstream takes the first.
    #[arg(long, env = "WCL_SIZE", value_parser = parse_size)]
    pub wcl_size: Option<u32>,

    /// Whether a player is ranked among those of the same item level or keystone only. The original deployment asked with
    /// `true`; without it the upstream ranks among everybody.
    #[arg(long, env = "WCL_BY_BRACKET")]
    pub wcl_by_bracket: Option<bool>,

    /// What a kill is compared with. The original deployment asked with `parses`; without it the upstream decides.
    #[arg(long, env = "WCL_COMPARE", value_enum)]
    pub wcl_compare: Option<Compare>,

    /// The rankings of which day a kill is compared with; without it the upstream decides.
    #[arg(long, env = "WCL_TIMEFRAME", value_enum)]
    pub wcl_timeframe: Option<Timeframe>,
}

/// What a kill is compared with: the upstream's `RankingCompareType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Compare {
    /// The best kill of each player, over the whole tier.
    Rankings,
    /// All kills of two weeks.
    Parses,
}

/// The rankings of which day a kill is compared with: the upstream's `RankingTimeframeType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Timeframe {
    /// Those of today.
    Today,
    /// Those of the day of the kill.
    Historical,
}

impl RankSettings {
    /// The options as the fleet's settings have them.
    pub fn options(&self) -> RankOptions {
        RankOptions {
            metrics: self.wcl_metric.clone(),
            partition: self.wcl_partition,
            size: self.wcl_size,
            by_bracket: self.wcl_by_bracket,
            compare: self.wcl_compare,
            timeframe: self.wcl_timeframe,
        }
    }

    /// How many metrics are requested, each of which is paid for.
    pub fn metrics(&self) -> u64 {
        self.wcl_metric.len().max(1) as u64
    }

    /// Checks the settings against each other.
    pub fn check(&self) -> Result<(), String> {
        let mut seen = std::collections::BTreeSet::new();
        match self.wcl_metric.iter().find(|metric| !seen.insert(*metric)) {
            Some(twice) => Err(format!("WCL_METRIC: {twice} is named twice, and would be paid for twice")),
            None => Ok(()),
        }
    }
}
