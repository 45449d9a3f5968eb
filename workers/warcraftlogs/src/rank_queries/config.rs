//! The settings that say how ranks are requested.

use clap::{Args, ValueEnum};

use super::RankOptions;
use crate::setting_values::parse_enum_literal;
use crate::store::{parse_partition, parse_size};

/// How ranks are asked for, where a rule does not say otherwise.
#[derive(Args, Clone, Debug, Default)]
pub struct RankSettings {
    /// The metric to rank by, such as `dps`. Without it the upstream uses the one that fits the character. Several
    /// metrics are separated by commas, and each costs WCL_CALL_BUDGET: the first one is written to the databases,
    /// `players` keeps all of them.
    #[arg(long, env = "WCL_METRIC", value_delimiter = ',', value_parser = parse_enum_literal)]
    pub wcl_metric: Vec<String>,

    /// The partition of a raid, such as a patch, by its number in `stint wcl raids`; -1 means all of them. Without it
    /// the upstream uses the latest.
    #[arg(long, env = "WCL_PARTITION", allow_negative_numbers = true, value_parser = parse_partition)]
    pub wcl_partition: Option<i32>,

    /// The size of the group, if a raid has several. Without it the upstream uses the first.
    #[arg(long, env = "WCL_SIZE", value_parser = parse_size)]
    pub wcl_size: Option<u32>,

    /// Whether a player is ranked only among players with the same item level or keystone. The original deployment used
    /// `true`. Without it the upstream ranks among all players.
    #[arg(long, env = "WCL_BY_BRACKET")]
    pub wcl_by_bracket: Option<bool>,

    /// What a kill is compared with. The original deployment used `parses`. Without it the upstream decides.
    #[arg(long, env = "WCL_COMPARE", value_enum)]
    pub wcl_compare: Option<Compare>,

    /// The day of the rankings that a kill is compared with. Without it the upstream decides.
    #[arg(long, env = "WCL_TIMEFRAME", value_enum)]
    pub wcl_timeframe: Option<Timeframe>,
}

/// What a kill is compared with: the upstream's `RankingCompareType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Compare {
    /// The best kill of each player in the whole tier.
    Rankings,
    /// All kills within two weeks.
    Parses,
}

/// The rankings of which day a kill is compared with: the upstream's `RankingTimeframeType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Timeframe {
    /// The rankings of today.
    Today,
    /// The rankings of the day of the kill.
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
