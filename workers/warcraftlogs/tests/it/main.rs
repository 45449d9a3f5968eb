//! One integration binary: the databases, publishing, and the whole fleet on virtual time.
#![expect(clippy::unwrap_used, reason = "a test and its helpers stop at the first surprise")]

mod addon;
mod aggregating;
mod breaker;
mod clocks;
mod crashing;
mod discovering;
mod discovering_reports;
mod doubting;
mod ending;
mod fetching;
mod fetching_faults;
mod fleet;
mod flowing;
mod freshness;
mod frozen;
mod generating;
mod keeping;
mod kills;
mod lua;
mod mutations;
mod outages;
mod paying;
mod publish;
mod reading_rules;
mod refreshing;
mod reviving;
mod rule_options;
mod schema;
mod site_breaker;
mod stores;
mod unfinished;
mod units;
mod world;
mod worst_case;
