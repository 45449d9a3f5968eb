//! A simulation's parameters, and the command that repeats it.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use stint_core::points::Points;
use stint_simulation::{Faults, Random};
use stint_warcraftlogs::budget::BudgetStrategy;

/// The most workers in a randomly drawn set-up, unless the scenario names a number.
const MAX_WORKERS: u32 = 20;

/// A simulation's parameters.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) players: u32,
    pub(super) keys: Vec<Points>,
    /// When each key's first window begins, in thousandths of a window after the start. If empty, windows are spread
    /// evenly.
    pub(super) phases: Vec<u32>,
    pub(super) hours: Duration,
    pub(super) strategy: Option<BudgetStrategy>,
    pub(super) workers: Option<u32>,
    pub(super) seed: u64,
    pub(super) faults: Faults,
    /// Whether the seed draws its own, smaller set-up.
    pub(super) randomised: bool,
    /// Whether no other simulation runs at the same time.
    pub(super) exclusive: bool,
}

impl Scenario {
    /// Returns the scenario that its seed draws. Its fault counts start at zero.
    pub(super) fn for_seed(&self) -> Scenario {
        let scenario = Scenario { faults: self.faults.reset(), ..self.clone() };
        if !self.randomised {
            return scenario;
        }
        let random = Random::new(self.seed, "set-up");
        let between = |least: u64, most: u64| least + random.below(most.saturating_sub(least) + 1);
        let mut keys = self.keys.clone();
        let first = random.below(keys.len() as u64) as usize;
        keys.rotate_left(first);
        keys.truncate(between(1, keys.len() as u64) as usize);
        let hours = self.hours.as_secs();
        Scenario {
            players: between(u64::from(self.players).div_ceil(2), u64::from(self.players)) as u32,
            hours: Duration::from_secs(between((hours * 3).div_ceil(4), hours)),
            workers: Some(between(1, u64::from(self.workers.unwrap_or(MAX_WORKERS))) as u32),
            phases: keys.iter().map(|_| random.below(1_000) as u32).collect(),
            keys: keys.iter().map(|most| Points::whole(between(points(*most).div_ceil(2), points(*most)))).collect(),
            randomised: false,
            ..scenario
        }
    }
}

/// Formats the command that runs this scenario with only this seed. Settings from the environment apply to it too.
impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.keys.iter().map(|key| points(*key).to_string()).collect();
        let hours = self.hours.as_secs_f64() / 3_600.0;
        write!(formatter, "stint simulate --players {} --key {} --hours {hours}", self.players, keys.join(","))?;
        if let Some(strategy) = self.strategy.and_then(|strategy| strategy.to_possible_value()) {
            write!(formatter, " --strategy {}", strategy.get_name())?;
        }
        if let Some(workers) = self.workers {
            write!(formatter, " --workers {workers}")?;
        }
        write!(formatter, " --faults {} --seed {}", self.faults, self.seed)?;
        if self.randomised { write!(formatter, " --vary") } else { Ok(()) }
    }
}

/// Limits are whole points, because the command line accepts no others.
fn points(points: Points) -> u64 {
    points.micros() / Points::whole(1).micros()
}
