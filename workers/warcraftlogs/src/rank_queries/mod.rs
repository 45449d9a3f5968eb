//! How ranks are requested: by the fleet's settings, except where a rule of the raid and difficulty says otherwise.
//!
//! A player's message names only raids and difficulties, so the rules are looked up when a player is fetched:
//! `docs/decisions/0016-a-rule-determines-how-its-ranks-are-requested.md`.

mod config;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use stint_core::clock::{Clock, after};
use stint_core::ports::PortResult;

use crate::model::{Difficulty, RaidId};
use crate::store::{Rule, Rules};

pub use config::{Compare, RankSettings, Timeframe};

/// Time for which rules that were read stay valid: a changed rule takes effect after this.
const VALID_FOR: Duration = Duration::from_secs(60);

/// After a failed read, the known rules stay valid for this much longer.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// How the ranks of one raid and difficulty are requested. The upstream chooses what is left open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RankOptions {
    /// The metrics to rank by; several are requested in one query.
    pub metrics: Vec<String>,
    /// The partition; -1 stands for all of them.
    pub partition: Option<i32>,
    /// The size of the group.
    pub size: Option<u32>,
    /// Whether to compare only with players of the same item level or keystone.
    pub by_bracket: Option<bool>,
    /// The kills to compare with.
    pub compare: Option<Compare>,
    /// The day whose rankings to compare with.
    pub timeframe: Option<Timeframe>,
}

/// The arguments for every raid and difficulty, as text of a GraphQL document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankQueries {
    /// After zone and difficulty, one for each metric.
    fleet: Vec<String>,
    /// For raids and difficulties whose rules say otherwise.
    of_rules: BTreeMap<(RaidId, Difficulty), Vec<String>>,
    /// The raids that rules are about.
    raids: BTreeSet<RaidId>,
}

/// Two rules that request the ranks of one raid and difficulty in different ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The field in which they differ.
    pub field: &'static str,
    /// The value in one rule.
    pub one: String,
    /// The value in the other rule.
    pub other: String,
}

impl RankOptions {
    /// The arguments after zone and difficulty, each with its comma: one for each metric.
    fn arguments(&self) -> Vec<String> {
        let rest = self.option_arguments();
        if self.metrics.is_empty() {
            return vec![rest];
        }
        self.metrics.iter().map(|metric| format!(", metric: {metric}{rest}")).collect()
    }

    /// Enum values are written as literals: the upstream has renamed an enum type before.
    fn option_arguments(&self) -> String {
        let compare = self.compare.map(|compare| match compare {
            Compare::Rankings => "Rankings",
            Compare::Parses => "Parses",
        });
        let timeframe = self.timeframe.map(|timeframe| match timeframe {
            Timeframe::Today => "Today",
            Timeframe::Historical => "Historical",
        });
        let arguments = [
            self.partition.map(|partition| format!(", partition: {partition}")),
            self.size.map(|size| format!(", size: {size}")),
            self.by_bracket.map(|by_bracket| format!(", byBracket: {by_bracket}")),
            compare.map(|compare| format!(", compare: {compare}")),
            timeframe.map(|timeframe| format!(", timeframe: {timeframe}")),
        ];
        arguments.into_iter().flatten().collect()
    }

    /// Returns these options with the values from the rules of one raid and difficulty. A value on which the rules
    /// disagree is not applied.
    fn with(&self, rules: &[&Rule]) -> RankOptions {
        let mut options = self.clone();
        if let Some(metric) = agreed(rules, |rule| rule.metric.clone()) {
            options.metrics = vec![metric];
        }
        options.partition = agreed(rules, |rule| rule.partition).or(options.partition);
        options.size = agreed(rules, |rule| rule.size).or(options.size);
        options
    }
}

/// Returns the value of the rules that have one, if all of them have the same.
fn agreed<T: PartialEq>(rules: &[&Rule], value: impl Fn(&Rule) -> Option<T>) -> Option<T> {
    let mut values = rules.iter().filter_map(|rule| value(rule));
    let first = values.next()?;
    values.all(|other| other == first).then_some(first)
}

impl Conflict {
    /// Returns the value in which two rules differ that both apply to the same ranks. `None` if they are about
    /// different ranks, or only one of them has a value.
    pub fn between(one: &Rule, other: &Rule) -> Option<Conflict> {
        if (one.raid, one.difficulty) != (other.raid, other.difficulty) {
            return None;
        }
        let text = |rule: &Rule| {
            let number = |number: Option<i64>| number.map(|number| number.to_string());
            [
                ("metric", rule.metric.clone()),
                ("partition", number(rule.partition.map(i64::from))),
                ("size", number(rule.size.map(i64::from))),
            ]
        };
        text(one).into_iter().zip(text(other)).find_map(|((field, one), (_, other))| {
            let (one, other) = (one?, other?);
            (one != other).then_some(Conflict { field, one, other })
        })
    }
}

impl RankQueries {
    /// Every raid and difficulty by the settings.
    pub fn of_fleet(fleet: &RankOptions) -> RankQueries {
        RankQueries { fleet: fleet.arguments(), of_rules: BTreeMap::new(), raids: BTreeSet::new() }
    }

    /// By the settings and the rules. A rule that is invalid is ignored: it could spoil whole documents.
    pub fn new<'r>(fleet: &RankOptions, rules: impl IntoIterator<Item = &'r Rule>) -> RankQueries {
        let mut rank_queries = RankQueries::of_fleet(fleet);
        let mut by_unit: BTreeMap<(RaidId, Difficulty), Vec<&Rule>> = BTreeMap::new();
        for rule in rules.into_iter().filter(|rule| rule.check().is_ok()) {
            by_unit.entry((rule.raid, rule.difficulty)).or_default().push(rule);
        }
        rank_queries.raids = by_unit.keys().map(|(raid, _)| *raid).collect();
        for (unit, rules) in by_unit {
            let arguments = fleet.with(&rules).arguments();
            if arguments != rank_queries.fleet {
                rank_queries.of_rules.insert(unit, arguments);
            }
        }
        rank_queries
    }

    /// The arguments after zone and difficulty, one for each metric; never empty.
    pub fn arguments(&self, unit: (RaidId, Difficulty)) -> &[String] {
        self.of_rules.get(&unit).unwrap_or(&self.fleet)
    }

    /// How many metrics are requested.
    pub fn metrics(&self, unit: (RaidId, Difficulty)) -> usize {
        self.arguments(unit).len()
    }

    /// The raids that rules are about.
    pub fn raids(&self) -> &BTreeSet<RaidId> {
        &self.raids
    }
}

/// The rank queries of a process, updated from the rules.
pub struct LiveRankQueries {
    rules: Arc<dyn Rules>,
    fleet: RankOptions,
    clock: Arc<dyn Clock>,
    known: Mutex<CachedRules>,
}

struct CachedRules {
    rank_queries: Arc<RankQueries>,
    /// `None` until the rules were read.
    valid_until: Option<Timestamp>,
}

impl LiveRankQueries {
    /// Queries by these settings and rules. The rules are read when they are needed.
    pub fn new(rules: Arc<dyn Rules>, fleet: RankOptions, clock: Arc<dyn Clock>) -> LiveRankQueries {
        let rank_queries = Arc::new(RankQueries::of_fleet(&fleet));
        LiveRankQueries { rules, fleet, clock, known: Mutex::new(CachedRules { rank_queries, valid_until: None }) }
    }

    /// The queries as they were last read.
    pub fn known(&self) -> Arc<RankQueries> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).rank_queries.clone()
    }

    /// Reads the rules if it is time to. Fails only if they were never read: otherwise the known rules are good enough,
    /// and an unavailable store is no reason to leave points unspent.
    pub async fn refresh(&self) -> PortResult<Arc<RankQueries>> {
        let valid_until = self.known.lock().unwrap_or_else(PoisonError::into_inner).valid_until;
        let now = self.clock.now();
        if valid_until.is_some_and(|until| now < until) {
            return Ok(self.known());
        }
        let rules = match self.rules.list().await {
            Ok(page) => page.documents,
            Err(error) if valid_until.is_some() => {
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                known.valid_until = Some(after(now, RETRY_AFTER));
                tracing::warn!(%error, "the rules cannot be read, so ranks are requested as before: {error}");
                return Ok(known.rank_queries.clone());
            }
            Err(error) => return Err(error),
        };
        let rank_queries = Arc::new(RankQueries::new(&self.fleet, rules.iter().map(|status| &status.rule)));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.rank_queries != rank_queries {
            warn_of_conflicts(&rules.iter().map(|status| &status.rule).collect::<Vec<_>>());
        }
        *known = CachedRules { rank_queries: rank_queries.clone(), valid_until: Some(after(now, VALID_FOR)) };
        Ok(rank_queries)
    }
}

fn warn_of_conflicts(rules: &[&Rule]) {
    for (position, one) in rules.iter().enumerate() {
        for other in &rules[position + 1..] {
            let Some(Conflict { field, one: value, other: other_value }) = Conflict::between(one, other) else {
                continue;
            };
            tracing::warn!(
                rule = one.id,
                "the rules {} and {} name {field} {value} and {other_value} for the same ranks, which are requested by \
                 the settings; change one of the rules",
                one.id,
                other.id
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(unit: (RaidId, Difficulty), more: Rule) -> Rule {
        Rule { id: "0".repeat(24), raid: unit.0, difficulty: unit.1, start_page: 1, end_page: 9, ..more }
    }

    fn fleet() -> RankOptions {
        RankOptions { by_bracket: Some(true), compare: Some(Compare::Parses), ..RankOptions::default() }
    }

    #[test]
    fn settings_and_rules_become_arguments() {
        let timeframe = Some(Timeframe::Historical);
        let all = RankOptions { metrics: vec!["dps".into(), "hps".into()], size: Some(25), timeframe, ..fleet() };
        let rest = ", size: 25, byBracket: true, compare: Parses, timeframe: Historical";
        assert_eq!(
            RankQueries::of_fleet(&all).arguments((26, 4)),
            [format!(", metric: dps{rest}"), format!(", metric: hps{rest}")]
        );
        assert_eq!(RankQueries::of_fleet(&RankOptions::default()).arguments((26, 4)), [""]);
    }

    #[test]
    fn a_rule_speaks_for_its_raid_and_difficulty_alone() {
        let more = Rule { partition: Some(-1), metric: Some("hps".into()), ..Rule::default() };
        let rules = [rule((26, 4), more), rule((26, 4), Rule::default()), rule((28, 5), Rule::default())];
        let rank_queries = RankQueries::new(&fleet(), &rules);
        let expected = ", metric: hps, partition: -1, byBracket: true, compare: Parses";
        assert_eq!(rank_queries.arguments((26, 4)), [expected]);
        for other in [(26, 5), (28, 5), (99, 1)] {
            assert_eq!(rank_queries.arguments(other), [", byBracket: true, compare: Parses"]);
        }
        assert_eq!(rank_queries.raids(), &BTreeSet::from([26, 28]));
    }

    #[test]
    fn what_rules_do_not_agree_on_the_settings_decide() {
        let value = |partition, size| rule((26, 4), Rule { partition, size, ..Rule::default() });
        let rules = [value(Some(1), Some(20)), value(Some(2), Some(20)), value(None, None)];
        let settings = RankOptions { partition: Some(3), ..RankOptions::default() };
        assert_eq!(RankQueries::new(&settings, &rules).arguments((26, 4)), [", partition: 3, size: 20"]);
        let conflict = Conflict::between(&rules[0], &rules[1]).unwrap();
        assert_eq!((conflict.field, conflict.one.as_str(), conflict.other.as_str()), ("partition", "1", "2"));
        assert_eq!(Conflict::between(&rules[0], &rules[2]), None);
        assert_eq!(Conflict::between(&rules[0], &rule((26, 5), Rule { partition: Some(2), ..Rule::default() })), None);
    }

    #[test]
    fn a_rule_that_is_not_in_order_gets_nothing_into_a_document() {
        let rules = [rule((26, 4), Rule { metric: Some("dps) { x }".into()), ..Rule::default() })];
        assert_eq!(RankQueries::new(&RankOptions::default(), &rules).arguments((26, 4)), [""]);
    }
}
