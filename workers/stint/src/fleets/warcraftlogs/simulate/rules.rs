//! Discovery rules in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::clock::{Clock, after};
use stint_core::ports::PortResult;
use stint_warcraftlogs::model::RaidId;
use stint_warcraftlogs::store::{
    Claim, Frozen, Page, Pass, PassSummary, Pause, Rule, RuleDoubt, RuleStatus, Rules, UpstreamPause, Zones,
};

/// The rules, and the claims on them.
pub(super) struct MemoryRules {
    clock: Arc<dyn Clock>,
    entries: Mutex<Vec<Entry>>,
    upstreams: Mutex<Vec<UpstreamPause>>,
}

struct Entry {
    rule: Rule,
    lease: u64,
    leased_until: Option<Timestamp>,
    pause: Option<Pause>,
    pass: Option<Pass>,
    listed_until: Option<Timestamp>,
    last: Option<PassSummary>,
    doubt: Option<RuleDoubt>,
    accepted: bool,
}

impl MemoryRules {
    /// Creates an empty collection.
    pub(super) fn new(clock: Arc<dyn Clock>) -> MemoryRules {
        MemoryRules { clock, entries: Mutex::default(), upstreams: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the entry of `claim`, unless another discovery has taken it over.
    fn with(&self, claim: &Claim, change: impl FnOnce(&mut Entry)) -> bool {
        let mut entries = self.lock();
        let entry = entries.iter_mut().find(|entry| entry.rule.id == claim.rule.id && entry.lease == claim.lease);
        entry.map(change).is_some()
    }
}

#[async_trait]
impl Rules for MemoryRules {
    async fn list(&self) -> PortResult<Page<RuleStatus, ()>> {
        let status = |entry: &Entry| RuleStatus {
            rule: entry.rule.clone(),
            leased_until: entry.leased_until,
            pause: entry.pause.clone(),
            pass: entry.pass.clone(),
            doubt: entry.doubt.clone(),
            accepted: entry.accepted,
        };
        let mut documents: Vec<RuleStatus> = self.lock().iter().map(status).collect();
        documents.sort_by_key(|status| (status.rule.raid, status.rule.difficulty, status.rule.start_page));
        Ok(Page { documents, damaged: Vec::new(), next: None })
    }

    async fn put(&self, rule: &Rule) -> PortResult<()> {
        let mut entries = self.lock();
        let lease = entries.iter().find(|entry| entry.rule.id == rule.id).map_or(0, |entry| entry.lease);
        entries.retain(|entry| entry.rule.id != rule.id);
        entries.push(Entry {
            rule: rule.clone(),
            lease,
            leased_until: None,
            pause: None,
            pass: None,
            listed_until: None,
            last: None,
            doubt: None,
            accepted: false,
        });
        Ok(())
    }

    async fn remove(&self, id: &str) -> PortResult<bool> {
        let mut entries = self.lock();
        let before = entries.len();
        entries.retain(|entry| entry.rule.id != id);
        Ok(entries.len() < before)
    }

    async fn claim_due(&self, due_before: Timestamp, lease: Duration) -> PortResult<Option<Claim>> {
        let now = self.clock.now();
        let mut entries = self.lock();
        let due = entries.iter_mut().filter(|entry| {
            let pauses = entry.pause.as_ref().is_some_and(|pause| pause.until > now);
            let runs = entry.leased_until.is_some_and(|until| until > now);
            !pauses && !runs && entry.rule.last_run.is_none_or(|last_run| last_run <= due_before)
        });
        Ok(due.min_by_key(|entry| entry.rule.last_run).map(|entry| {
            entry.lease += 1;
            entry.leased_until = Some(after(now, lease));
            entry.pause = None;
            Claim {
                rule: entry.rule.clone(),
                pass: entry.pass.clone(),
                listed_until: entry.listed_until,
                last: entry.last,
                accepted: entry.accepted,
                frozen_since: None,
                lease: entry.lease,
            }
        }))
    }

    async fn store_progress(&self, claim: &Claim, pass: &Pass, lease: Duration) -> PortResult<bool> {
        let until = after(self.clock.now(), lease);
        Ok(self.with(claim, |entry| {
            entry.pass = Some(pass.clone());
            entry.leased_until = Some(until);
        }))
    }

    async fn finish(&self, claim: &Claim, pass: &Pass, ran_at: Timestamp) -> PortResult<bool> {
        Ok(self.with(claim, |entry| {
            entry.listed_until = Some(pass.started_at);
            entry.rule.last_run = Some(ran_at);
            entry.last = Some(pass.seen);
            (entry.pass, entry.doubt, entry.accepted) = (None, None, false);
            entry.leased_until = None;
        }))
    }

    async fn give_back(&self, claim: &Claim, pause: Option<Pause>) -> PortResult<()> {
        self.with(claim, |entry| {
            entry.leased_until = None;
            entry.pause = pause;
        });
        Ok(())
    }

    async fn doubt(&self, claim: &Claim, pass: Option<&Pass>, doubt: &RuleDoubt, until: Timestamp) -> PortResult<bool> {
        Ok(self.with(claim, |entry| {
            entry.leased_until = None;
            entry.pass = pass.cloned();
            entry.pause = Some(Pause { until, reason: doubt.reason.clone() });
            (entry.doubt, entry.accepted) = (Some(doubt.clone()), false);
        }))
    }

    async fn accept(&self, id: &str) -> PortResult<bool> {
        let mut entries = self.lock();
        let doubted = entries.iter_mut().find(|entry| entry.rule.id == id && entry.doubt.is_some());
        Ok(doubted.map(|entry| (entry.accepted, entry.pause) = (true, None)).is_some())
    }

    async fn upstreams(&self) -> PortResult<Vec<UpstreamPause>> {
        Ok(self.upstreams.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn pause_upstream(&self, pause: &UpstreamPause) -> PortResult<()> {
        let mut upstreams = self.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        let is_shorter =
            |other: &UpstreamPause| other.upstream == pause.upstream && other.pause.until < pause.pause.until;
        upstreams.retain(|other| !is_shorter(other));
        if upstreams.iter().all(|other| other.upstream != pause.upstream) {
            upstreams.push(pause.clone());
        }
        Ok(())
    }

    async fn resume_upstream(&self, upstream: &str) -> PortResult<bool> {
        let mut upstreams = self.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        let before = upstreams.len();
        upstreams.retain(|pause| pause.upstream != upstream);
        Ok(upstreams.len() < before)
    }
}

/// No raid of a simulated upstream is frozen, so nothing asks.
#[async_trait]
impl Zones for MemoryRules {
    async fn claim_check(&self, _raids: &[RaidId], _until: Timestamp) -> PortResult<Vec<RaidId>> {
        Ok(Vec::new())
    }

    async fn record_check(&self, _raids: &[(RaidId, bool)], _now: Timestamp, _again: Timestamp) -> PortResult<()> {
        Ok(())
    }

    async fn frozen(&self) -> PortResult<Frozen> {
        Ok(Frozen::default())
    }

    async fn clear_frozen(&self) -> PortResult<()> {
        Ok(())
    }
}
