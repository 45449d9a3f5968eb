//! Faults that a run can be asked to have.
//!
//! Reordering is not among them: the queue of this model, like the real one, never guarantees order.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::random::Random;

/// A fault that happens at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The queue delivers a message twice.
    Duplicates,
    /// The upstream fails, before or after it has charged.
    ServerErrors,
    /// The upstream answers 429, though there are points.
    RateLimits,
    /// The upstream refuses a key for minutes, as if its points were used up.
    PointRefusals,
    /// The stores take up to two seconds.
    SlowStore,
    /// An invocation is killed while it runs.
    Kills,
    /// A wake-up never fires, or fires twice.
    Wakeups,
}

impl Fault {
    /// Every fault with its name on the command line.
    pub const ALL: [(Fault, &'static str); 7] = [
        (Fault::Duplicates, "duplicates"),
        (Fault::ServerErrors, "5xx"),
        (Fault::RateLimits, "429-rate"),
        (Fault::PointRefusals, "429-points"),
        (Fault::SlowStore, "slow-store"),
        (Fault::Kills, "kills"),
        (Fault::Wakeups, "lost-wakeups"),
    ];
}

/// The faults of a run, and how often each of them has happened. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    requested: Vec<Fault>,
    happened: Arc<[AtomicU64; Fault::ALL.len()]>,
}

impl Faults {
    /// Returns a run without faults.
    pub fn none() -> Faults {
        Faults::default()
    }

    /// Returns a run with every fault.
    pub fn all() -> Faults {
        Faults::of(Fault::ALL.iter().map(|(fault, _)| *fault).collect())
    }

    fn of(requested: Vec<Fault>) -> Faults {
        Faults { requested, happened: Arc::default() }
    }

    /// Returns the same faults with counts of zero, for another run.
    pub fn reset(&self) -> Faults {
        Faults::of(self.requested.clone())
    }

    /// Whether the run has no faults.
    pub fn is_none(&self) -> bool {
        self.requested.is_empty()
    }

    /// Whether `fault` is among them.
    pub fn has(&self, fault: Fault) -> bool {
        self.requested.contains(&fault)
    }

    /// Returns `per_mille` if `fault` is among them, else 0.
    pub fn chance(&self, fault: Fault, per_mille: u32) -> u32 {
        if self.has(fault) { per_mille } else { 0 }
    }

    /// Returns whether `fault` happens now: in `per_mille` of a thousand cases if it is among them. Counts it.
    pub fn happens(&self, fault: Fault, per_mille: u32, random: &Random) -> bool {
        let happens = random.chance(self.chance(fault, per_mille));
        if happens {
            self.count(fault, 1);
        }
        happens
    }

    /// Counts a fault that was drawn elsewhere.
    pub fn count(&self, fault: Fault, times: u64) {
        self.happened[fault as usize].fetch_add(times, Ordering::Relaxed);
    }

    /// How often each fault of the run has happened, by its name on the command line.
    pub fn happened(&self) -> BTreeMap<&'static str, u64> {
        let requested = Fault::ALL.into_iter().filter(|(fault, _)| self.has(*fault));
        requested.map(|(fault, name)| (name, self.happened[fault as usize].load(Ordering::Relaxed))).collect()
    }

    /// The range of a slow store's latency, from one millisecond to two seconds. `None` if stores are not slow.
    pub fn store_latency(&self) -> Option<(Duration, Duration)> {
        self.has(Fault::SlowStore).then_some((Duration::from_millis(1), Duration::from_secs(2)))
    }
}

/// As on the command line.
impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requested = Fault::ALL.iter().filter(|(fault, _)| self.has(*fault)).map(|(_, name)| *name);
        match self.requested.len() {
            0 => formatter.write_str("none"),
            all if all == Fault::ALL.len() => formatter.write_str("all"),
            _ => formatter.write_str(&requested.collect::<Vec<&str>>().join(",")),
        }
    }
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Faults, String> {
        match text {
            "none" => return Ok(Faults::none()),
            "all" => return Ok(Faults::all()),
            _ => {}
        }
        let named = |name: &str| {
            let found = Fault::ALL.iter().find(|(_, known)| *known == name.trim());
            found.map(|(fault, _)| *fault).ok_or_else(|| {
                let known: Vec<&str> = Fault::ALL.iter().map(|(_, name)| *name).collect();
                format!("'{}' is not a fault; expected none, all, or some of {}", name.trim(), known.join(","))
            })
        };
        let mut faults: Vec<Fault> = text.split(',').map(named).collect::<Result<_, _>>()?;
        faults.sort_unstable();
        faults.dedup();
        Ok(Faults::of(faults))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_one_by_one_or_all_at_once() {
        let parse = |text: &str| text.parse::<Faults>().unwrap().requested;
        assert_eq!(parse("none"), Faults::none().requested);
        assert_eq!(parse("all"), Faults::all().requested);
        for text in ["none", "all", "duplicates,kills"] {
            assert_eq!(text.parse::<Faults>().unwrap().to_string(), text);
        }
        assert_eq!(parse("kills, duplicates,kills"), [Fault::Duplicates, Fault::Kills]);
        assert!("floods".parse::<Faults>().unwrap_err().contains("lost-wakeups"));
    }

    #[test]
    fn requested_faults_are_counted_and_others_never_happen() {
        let (faults, random) = ("kills,5xx".parse::<Faults>().unwrap(), Random::new(1, "test"));
        assert!(faults.happens(Fault::Kills, 1_000, &random) && !faults.happens(Fault::Duplicates, 1_000, &random));
        faults.clone().count(Fault::Kills, 2);
        assert_eq!(faults.happened(), BTreeMap::from([("kills", 3), ("5xx", 0)]));
        assert_eq!(faults.reset().happened()["kills"], 0);
    }
}
