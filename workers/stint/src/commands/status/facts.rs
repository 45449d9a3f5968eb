//! Everything that status is made from, read once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use stint_core::ledger::{KeyState, KeyStatus};
use stint_core::ports::{Concurrency, Counts, Wakeup};
use stint_core::worker::Spec;
use stint_warcraftlogs::store::{PlayerCounts, RuleStatus};

use crate::commands::queue::QueueView;
use crate::wiring::{Stores, WARCRAFTLOGS, trigger};

/// The stores at one moment. The default is an installation in which nothing was ever done.
pub(super) struct Facts {
    pub(super) rules: Vec<RuleStatus>,
    pub(super) discovers: u64,
    pub(super) queue: QueueView,
    pub(super) players: PlayerCounts,
    pub(super) keys: Vec<KeyStatus>,
    pub(super) wakeups: Vec<Wakeup>,
    throttles: BTreeMap<&'static str, Concurrency>,
}

impl Default for Facts {
    fn default() -> Facts {
        let queue = QueueView { queue: trigger().queue.to_owned(), counts: Counts::default(), parked: 0 };
        Facts {
            rules: Vec::new(),
            discovers: 0,
            queue,
            players: PlayerCounts::default(),
            keys: Vec::new(),
            wakeups: Vec::new(),
            throttles: BTreeMap::new(),
        }
    }
}

impl Facts {
    /// Reads the stores one after the other: under a running fleet the numbers are not of one instant.
    pub(super) async fn read(stores: &Stores) -> anyhow::Result<Facts> {
        let mut throttles = BTreeMap::new();
        for spec in &WARCRAFTLOGS {
            throttles.insert(spec.name, stores.throttle.read(spec.name).await?);
        }
        Ok(Facts {
            rules: stores.rules.list().await?.documents,
            discovers: stores.discovers.count().await?,
            queue: QueueView::read(stores).await?,
            players: stores.players.counts().await?,
            keys: stores.pool.keys().await?,
            wakeups: stores.wakeups.list().await?,
            throttles,
        })
    }

    /// The throttle of a worker.
    pub(super) fn throttle(&self, spec: &Spec) -> Concurrency {
        self.throttles.get(spec.name).copied().unwrap_or(Concurrency { set: None, paused: false })
    }

    /// When the worker runs next, by schedule or wake-up.
    pub(super) fn next_run(&self, spec: &Spec) -> Option<Timestamp> {
        self.wakeups.iter().filter(|wakeup| wakeup.worker == spec.name).map(|wakeup| wakeup.at).min()
    }

    /// The keys of the settings that the fleet last ran with.
    pub(super) fn keys_in_use(&self) -> impl Iterator<Item = &KeyStatus> {
        self.keys.iter().filter(|key| key.state != KeyState::Retired)
    }
}
