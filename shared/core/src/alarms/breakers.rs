//! An alarm for each upstream that is down.
//!
//! It follows the records of the circuit breakers, which every process reads every few seconds while it calls the
//! upstream. So it needs no watcher of its own, an alarm that was not raised because a process exited is raised by the
//! next one that reads the record, and likewise an all-clear.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::circuit::Circuit;
use crate::clock::{Clock, between};
use crate::ports::{AlarmId, Alarms, Breakers, PortResult};

/// How often this process looks whether an alarm is due while the same upstream stays down.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Breakers whose outages raise alarms. An alarm that cannot be raised is logged, and changes nothing for the caller.
pub struct AlarmingBreakers {
    breakers: Arc<dyn Breakers>,
    alarms: Arc<dyn Alarms>,
    source: String,
    clock: Arc<dyn Clock>,
    /// What was last reported of each upstream by this process: since when it is down (`None`: it is up), and when that
    /// was reported.
    reported: Mutex<BTreeMap<String, (Option<Timestamp>, Timestamp)>>,
}

impl AlarmingBreakers {
    /// Creates breakers whose alarms belong to `source`, a fleet.
    pub fn new(
        breakers: Arc<dyn Breakers>,
        alarms: Arc<dyn Alarms>,
        source: impl Into<String>,
        clock: Arc<dyn Clock>,
    ) -> AlarmingBreakers {
        AlarmingBreakers { breakers, alarms, source: source.into(), clock, reported: Mutex::default() }
    }

    /// Raises or clears the alarm of an upstream, unless this process has just done so.
    async fn report(&self, upstream: &str, circuit: &Circuit) {
        let (since, now) = (circuit.outage().map(|outage| outage.since), self.clock.now());
        {
            let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
            let is_known = reported.get(upstream).is_some_and(|(known, at)| {
                *known == since && (since.is_none() || (*at <= now && between(*at, now) < LOOK_AGAIN))
            });
            if is_known {
                return;
            }
            reported.insert(upstream.to_owned(), (since, now));
        }
        if let Err(error) = self.tell(upstream, circuit).await {
            tracing::warn!(upstream, %error, "cannot report that {upstream} is {}: {error}", if since.is_some() { "down" } else { "up" });
            self.reported.lock().unwrap_or_else(PoisonError::into_inner).remove(upstream);
        }
    }

    async fn tell(&self, upstream: &str, circuit: &Circuit) -> PortResult<()> {
        let id = AlarmId::new(&*self.source, upstream)?;
        match circuit.outage() {
            Some(outage) => {
                let banned = if outage.banned { "refuses us" } else { "is down" };
                self.alarms.raise(&id, &format!("{upstream} {banned}: {}", outage.reason)).await
            }
            None => self.alarms.clear(&id).await,
        }
    }
}

#[async_trait]
impl Breakers for AlarmingBreakers {
    async fn load(&self, upstream: &str) -> PortResult<(u64, Circuit)> {
        let (version, circuit) = self.breakers.load(upstream).await?;
        self.report(upstream, &circuit).await;
        Ok((version, circuit))
    }

    async fn replace(&self, upstream: &str, version: u64, circuit: &Circuit) -> PortResult<bool> {
        let replaced = self.breakers.replace(upstream, version, circuit).await?;
        if replaced {
            self.report(upstream, circuit).await;
        }
        Ok(replaced)
    }
}
