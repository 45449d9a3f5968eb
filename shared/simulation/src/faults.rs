//! What goes wrong, by wish.

use std::str::FromStr;
use std::time::Duration;

/// Something that goes wrong now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The queue delivers a message twice.
    Duplicates,
    /// The upstream fails, before or after it has charged.
    ServerErrors,
    /// The upstream asks for patience, though there are points.
    Haste,
    /// The upstream refuses a key for minutes, as if its points were used up.
    PointRefusals,
    /// The stores take up to seconds.
    SlowStore,
    /// An invocation ends in the middle.
    Kills,
    /// A wake-up never comes, or comes twice.
    Wakeups,
}

impl Fault {
    /// Each of them with its name on the command line.
    pub const ALL: [(Fault, &'static str); 7] = [
        (Fault::Duplicates, "duplicates"),
        (Fault::ServerErrors, "5xx"),
        (Fault::Haste, "429-haste"),
        (Fault::PointRefusals, "429-points"),
        (Fault::SlowStore, "slow-store"),
        (Fault::Kills, "kills"),
        (Fault::Wakeups, "lost-wakeups"),
    ];
}

/// Which faults a run has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Nothing goes wrong.
    pub fn none() -> Faults {
        Faults::default()
    }

    /// Everything does.
    pub fn all() -> Faults {
        Faults(Fault::ALL.iter().map(|(fault, _)| *fault).collect())
    }

    /// Whether `fault` is among them.
    pub fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }

    /// `per_mille` if `fault` is among them, else never.
    pub fn chance(&self, fault: Fault, per_mille: u32) -> u32 {
        if self.has(fault) { per_mille } else { 0 }
    }

    /// How long a store takes: a few milliseconds, or up to two seconds when stores are slow.
    pub fn store_latency(&self) -> Option<(Duration, Duration)> {
        self.has(Fault::SlowStore).then_some((Duration::from_millis(1), Duration::from_secs(2)))
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
                format!("'{}' is no fault; there are none, all, or some of {}", name.trim(), known.join(","))
            })
        };
        let mut faults: Vec<Fault> = text.split(',').map(named).collect::<Result<_, _>>()?;
        faults.sort_unstable();
        faults.dedup();
        Ok(Faults(faults))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_one_by_one_or_all_at_once() {
        assert_eq!("none".parse(), Ok(Faults::none()));
        assert_eq!("all".parse(), Ok(Faults::all()));
        let two: Faults = "kills, duplicates,kills".parse().unwrap();
        assert_eq!(two, Faults(vec![Fault::Duplicates, Fault::Kills]));
        assert!("floods".parse::<Faults>().unwrap_err().contains("lost-wakeups"));
    }
}
