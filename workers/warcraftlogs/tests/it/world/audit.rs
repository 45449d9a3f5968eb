//! The final checks: no player is lost, what is stored is true, and the accounts agree.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stint_core::points::Points;
use stint_core::ports::{DeadLetter, Queue};
use stint_standins::warcraftlogs::{QueryOutcome, TrueRanks, TrueStars};
use stint_warcraftlogs::message::PlayerMessage;
use stint_warcraftlogs::model::{AllStars, EncounterRank, Player, PlayerId, RaidRanks, RaidsToScrap};
use stint_warcraftlogs::store::DropReason;

use super::{FleetWorld, Process};

/// More than any world has.
const ALL: usize = 1_000_000;

impl FleetWorld {
    /// Every player was ranked or dropped for the right reason, with the right ranks, and the accounts agree. Nothing
    /// is left over, and there are no dead letters.
    pub(crate) async fn assert_all_served(&self) {
        self.assert_served(&self.asked_of(&self.all_players())).await;
    }

    /// All raids and difficulties of these players.
    pub(crate) fn asked_of(&self, ids: &[PlayerId]) -> BTreeMap<PlayerId, RaidsToScrap> {
        ids.iter().map(|id| (*id, self.raids_of(*id))).collect()
    }

    /// The same for the players in `asked`.
    pub(crate) async fn assert_served(&self, asked: &BTreeMap<PlayerId, RaidsToScrap>) {
        self.assert_outcomes(asked).await;
        self.assert_accounts_agree().await;
    }

    /// The same without the accounts.
    pub(crate) async fn assert_outcomes(&self, asked: &BTreeMap<PlayerId, RaidsToScrap>) {
        assert_eq!(self.dead_letters().await, [], "dead letters");
        for queue in [&self.stores.queue, &self.stores.refreshes] {
            assert_eq!(queue.counts().await.unwrap().unfinished(), 0, "messages are left in {}", queue.name());
            let parked = self.stores.pool.count_parked(queue.name()).await.unwrap();
            assert_eq!(parked, 0, "messages of {} are parked", queue.name());
        }
        let (ranked, dropped) = (self.ranked().await, self.dropped().await);
        let population = self.population();
        for (id, raids) in asked {
            let outcome = population.outcome(*id);
            let canonical = population.character(*id).map_or(*id, |character| character.canonical_id);
            let expected = match outcome {
                QueryOutcome::Ranked => (canonical != *id).then_some(DropReason::Merged),
                QueryOutcome::Hidden => Some(DropReason::Hidden),
                QueryOutcome::Unknown => Some(DropReason::Unknown),
                QueryOutcome::NeverClassed => Some(DropReason::NeverClassed),
            };
            assert_eq!(dropped.get(id).copied(), expected, "player {id}, who is {outcome:?}");
            if outcome == QueryOutcome::Ranked {
                self.assert_true(ranked.get(&canonical).unwrap_or_else(|| panic!("player {id} is lost")), raids);
            }
        }
        let with_ranks = asked.keys().filter(|id| population.outcome(**id) == QueryOutcome::Ranked).count();
        assert_eq!(ranked.len(), with_ranks, "strangers are ranked");
    }

    /// By id: every player is ranked, dropped, queued, parked or a dead letter.
    pub(crate) async fn assert_no_player_lost(&self) {
        let mut known: BTreeSet<PlayerId> = self.ranked().await.into_keys().collect();
        known.extend(self.dropped().await.into_keys());
        let dead = self.dead_letters().await.into_iter().map(|dead| dead.body);
        let bodies = self.waiting(&*self.stores.queue).await.into_iter().chain(dead);
        let messages = bodies.filter_map(|body| PlayerMessage::from_body(&body).ok());
        known.extend(messages.filter_map(|message| message.player_ref.id()));
        let lost: Vec<PlayerId> = self.all_players().into_iter().filter(|id| !known.contains(id)).collect();
        assert!(lost.is_empty(), "players are lost: {lost:?}");
    }

    /// The bodies of the messages that can be received from `queue`, and of those parked for it.
    pub(crate) async fn waiting(&self, queue: &dyn Queue) -> Vec<String> {
        let queued = queue.peek(ALL).await.unwrap();
        // A lease of no length, so that reading takes nothing away.
        let parked = self.stores.pool.claim_parked(queue.name(), ALL, Duration::ZERO).await.unwrap();
        let bodies = queued.into_iter().map(|delivery| delivery.body);
        bodies.chain(parked.into_iter().map(|parked| parked.body)).collect()
    }

    /// Asserts that nothing was overspent or refused, and that each key was charged what the ledger says, to the
    /// micro-point. If calls ended without a response at the very end of a window, the ledger reports an uncertainty,
    /// and may be short by that much. Returns the uncertainty.
    pub(crate) async fn assert_accounts_agree(&self) -> Points {
        let auditor: Process = self.start();
        auditor.budget.read_counters(Points::MAX).await.unwrap();
        // Holds of calls that were not settled end by themselves, and those of lost calls when they can no longer be
        // billed.
        for _ in 0..2 {
            self.pass(auditor.budget.api.call_timeout().as_secs() + 10).await;
            auditor.budget.read_counters(Points::MAX).await.unwrap();
        }
        let counters = self.counters();
        assert_eq!((counters.overspent, counters.refused_calls), (Points::ZERO, 0), "overspent, or refused");
        let mut unsure_in_all = Points::ZERO;
        for key in self.stores.pool.keys().await.unwrap() {
            let windows = self.stores.pool.windows(&key.key, ALL).await.unwrap();
            let spent: Points = windows.iter().map(|window| window.spent).sum::<Points>().saturating_add(key.spent);
            let unsure: Points = windows.iter().map(|window| window.unconfirmed).sum::<Points>();
            let unsure = unsure.saturating_add(key.held);
            let book = counters.keys.iter().find(|book| book.id == key.key.0).unwrap();
            let charged: Points = book.windows.iter().map(|window| window.charged).sum();
            assert!(
                spent <= charged && charged <= spent.saturating_add(unsure),
                "{} was charged {charged}, and the ledger says {spent}, give or take {unsure}",
                key.key
            );
            unsure_in_all = unsure_in_all.saturating_add(unsure);
        }
        unsure_in_all
    }

    /// Players with ranks.
    pub(crate) async fn ranked(&self) -> BTreeMap<PlayerId, Player> {
        let page = self.stores.players.page(None, ALL).await.unwrap();
        assert!(page.damaged.is_empty(), "damaged players: {:?}", page.damaged);
        page.documents.into_iter().map(|player| (player.id, player)).collect()
    }

    /// Players without ranks, and why.
    pub(crate) async fn dropped(&self) -> BTreeMap<PlayerId, DropReason> {
        let page = self.stores.players.dropped_page(None, ALL).await.unwrap();
        page.documents.into_iter().map(|dropped| (dropped.id, dropped.reason)).collect()
    }

    /// Players who were discovered and not yet queued.
    pub(crate) async fn discovered(&self) -> BTreeMap<PlayerId, RaidsToScrap> {
        let page = self.stores.discovers.page(None, ALL).await.unwrap();
        page.documents.into_iter().map(|player| (player.id, player.raids_to_scrap)).collect()
    }

    /// Players who wait in the queue, with the raids and difficulties to fetch; each once.
    pub(crate) async fn queued(&self) -> BTreeMap<PlayerId, RaidsToScrap> {
        let mut queued: BTreeMap<PlayerId, RaidsToScrap> = BTreeMap::new();
        for delivery in self.stores.queue.peek(ALL).await.unwrap() {
            let message = PlayerMessage::from_body(&delivery.body).unwrap();
            queued.entry(message.player_ref.id().unwrap()).or_default().merge(&message.raids_to_scrap);
        }
        queued
    }

    /// Dead letters.
    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        let mut dead = self.stores.queue.dead_letters(ALL).await.unwrap();
        dead.extend(self.stores.refreshes.dead_letters(ALL).await.unwrap());
        dead
    }

    fn assert_true(&self, player: &Player, asked: &RaidsToScrap) {
        let stored = player.raids.iter().flat_map(|(raid, ranks)| ranks.keys().map(|difficulty| (*raid, *difficulty)));
        assert_eq!(stored.collect::<RaidsToScrap>(), *asked, "raids of player {}", player.id);
        let population = self.population();
        for (raid, difficulty) in asked.units() {
            let truth = population.true_ranks(player.id, raid, difficulty).unwrap();
            assert_eq!(as_stored(&truth), player.raids[&raid][&difficulty], "ranks of player {}", player.id);
        }
        let character = population.character(player.id).unwrap();
        let shown = (&player.name, player.class_id, player.region.as_str(), player.server.name.as_str());
        let truth = (&character.name, character.class_id, character.realm.region, character.realm.name);
        assert_eq!(shown, truth, "player {}", player.id);
    }
}

/// The true ranks in the form in which the fleet stores them.
pub(crate) fn as_stored(truth: &TrueRanks) -> RaidRanks {
    let encounters = truth.encounters.iter().map(|encounter| {
        let rank = EncounterRank {
            best: Some(encounter.best),
            median: Some(encounter.median),
            kills: encounter.kills,
            spec: encounter.spec.clone(),
            all_stars: encounter.all_stars.as_ref().map(stars_as_stored),
            score: encounter.key_level.map(|_| encounter.amount),
            key_level: encounter.key_level,
        };
        (encounter.id, rank)
    });
    RaidRanks {
        metric: truth.metric.clone(),
        best: truth.best,
        median: truth.median,
        encounters: encounters.collect(),
        all_stars: truth.all_stars.iter().map(stars_as_stored).collect(),
        metrics: BTreeMap::new(),
    }
}

fn stars_as_stored(truth: &TrueStars) -> AllStars {
    let ranks = truth.ranks.as_ref();
    let place = |place: Option<u64>| place.map(|place| u32::try_from(place).unwrap());
    AllStars {
        spec: truth.spec.clone(),
        partition: u32::try_from(truth.partition).ok().filter(|partition| *partition > 0),
        points: truth.points,
        rank: place(ranks.map(|ranks| ranks.world)),
        region_rank: place(ranks.map(|ranks| ranks.region)),
        server_rank: place(ranks.and_then(|ranks| ranks.server)),
    }
}
