//! Waits for the outcome of a refresh.
//!
//! The refresher keeps each result for an hour, under the name or id by which the player was requested. A message that
//! failed for good is among the dead letters. A process that was killed between storing the ranks and storing the
//! result leaves only the ranks; they are found once every requested raid and difficulty has an outcome. Outcomes are
//! compared with those known before the message was sent, not by time, because the clocks of two machines may differ.

use std::collections::BTreeSet;
use std::iter::repeat;
use std::time::Duration;

use anyhow::bail;
use jiff::Timestamp;
use stint_core::clock::after;
use stint_core::points::Points;
use stint_core::ports::DeadLetter;
use stint_warcraftlogs::message::PlayerMessage;
use stint_warcraftlogs::model::{Player, PlayerId};
use stint_warcraftlogs::player_ref::PlayerRef;
use stint_warcraftlogs::store::{DropReason, RefreshOutcome, RefreshResult, UnitResult};

use super::forecast::Forecast;
use crate::context::Context;
use crate::fleets::warcraftlogs::commands::show::{Stored, read, reason_text, to_text};
use crate::fleets::warcraftlogs::stores::Stores;
use crate::hosting::PollInterval;

/// The maximum number of dead letters of refreshes that are examined.
const DEAD_LETTERS: usize = 1_000;

/// A refresh that a user waits for.
pub(super) struct RefreshWait<'a> {
    stores: &'a Stores,
    message: &'a PlayerMessage,
    /// The result that was known before the refresh was queued.
    latest_result: Option<RefreshResult>,
    dropped: Option<Timestamp>,
    units: Vec<Option<UnitResult>>,
    letters: BTreeSet<String>,
}

impl<'a> RefreshWait<'a> {
    /// Reads what is known of the player before the message is sent.
    pub(super) async fn new(message: &'a PlayerMessage, stores: &'a Stores) -> anyhow::Result<RefreshWait<'a>> {
        let (latest_result, dropped, units, letters) = (None, None, Vec::new(), BTreeSet::new());
        let mut wait = RefreshWait { stores, message, latest_result, dropped, units, letters };
        wait.check_refusals().await?;
        wait.latest_result = stores.refresh_results.latest_result(&message.player_ref).await?;
        if let Some(id) = wait.id().await? {
            wait.units = wait.unit_results(id).await?;
            if let Stored::Dropped(dropped) = read(id, stores).await? {
                wait.dropped = Some(dropped.at);
            }
        }
        wait.letters = wait.dead_letters().await?.into_iter().map(|letter| letter.message_id).collect();
        Ok(wait)
    }

    /// Fails if everything that is requested is already known to be refused: no call is made then, and no result is
    /// stored.
    async fn check_refusals(&self) -> anyhow::Result<()> {
        let id = self.id().await?;
        let known = self.stores.players.known(&id.into_iter().collect::<Vec<_>>()).await?;
        let mut refusals = self.message.raids_to_scrap.units().map(|unit| known.refusal(id, unit));
        match refusals.next().flatten() {
            Some(reason) if refusals.all(|refusal| refusal.is_some()) => {
                bail!("{} has no ranks: the upstream refuses it: {reason}; nothing was queued", self.message.player_ref)
            }
            _ => Ok(()),
        }
    }

    /// Prints the ranks once they are stored, or fails with the reason why there are none. A part of the refresh may
    /// cost `needed`.
    pub(super) async fn run(
        self,
        limit: Duration,
        interval: PollInterval,
        needed: Points,
        context: &Context,
    ) -> anyhow::Result<()> {
        let (player_ref, end) = (&self.message.player_ref, after(context.clock.now(), limit));
        let mut reported = None;
        loop {
            if let Some(player) = self.poll().await? {
                let now = context.clock.now();
                return context.output.result(&player, |player| to_text(player, now));
            }
            let now = context.clock.now();
            let forecast = Forecast::read(self.stores, needed, now).await?;
            let words = forecast.to_text();
            let words = words.trim_end();
            if forecast.is_idle {
                bail!("{player_ref} is queued, but {words}");
            }
            if now >= end {
                bail!("there is no result for {player_ref} after {} s; it stays queued: {words}", limit.as_secs());
            }
            if reported.as_deref() != Some(words) {
                context.output.message(&format!("waiting for {player_ref}: {words}"));
                reported = Some(words.to_owned());
            }
            context.clock.sleep(interval.until_next(now, end)).await;
        }
    }

    /// Returns the player once the ranks are stored.
    async fn poll(&self) -> anyhow::Result<Option<Player>> {
        let player_ref = &self.message.player_ref;
        if let Some(letter) =
            self.dead_letters().await?.iter().find(|letter| !self.letters.contains(&letter.message_id))
        {
            bail!("{player_ref} could not be fetched: {}", letter.reason);
        }
        let result = self.stores.refresh_results.latest_result(player_ref).await?;
        let result = result.filter(|result| Some(result) != self.latest_result.as_ref());
        let id = match result.as_ref().map(|result| &result.result) {
            Some(RefreshOutcome::Dropped(reason)) => bail!("{player_ref} has no ranks: {}", reason_text(*reason)),
            Some(RefreshOutcome::Refused(reason)) => {
                bail!("{player_ref} has no ranks: the upstream refuses it: {reason}")
            }
            Some(RefreshOutcome::Ranked(id)) => Some(*id),
            None => self.id().await?,
        };
        let Some(id) = id else { return Ok(None) };
        // A result shows that everything is done. Without one, the stored outcomes must show it.
        match read(id, self.stores).await? {
            Stored::Ranked(player) if result.is_some() || all_are_new(&self.units, &self.unit_results(id).await?) => {
                Ok(Some(*player))
            }
            // The ranks of a former id are still to be stored, under the id that the upstream keeps.
            Stored::Dropped(dropped) if dropped.reason == DropReason::Merged && result.is_none() => Ok(None),
            Stored::Dropped(dropped) if result.is_some() || Some(dropped.at) != self.dropped => {
                bail!("{player_ref} has no ranks: {}", reason_text(dropped.reason))
            }
            _ => Ok(None),
        }
    }

    /// Returns the last known outcome of each requested raid and difficulty.
    async fn unit_results(&self, id: PlayerId) -> anyhow::Result<Vec<Option<UnitResult>>> {
        let known = self.stores.players.known(&[id]).await?;
        let results = known.players.get(&id).map(|player| &player.unit_results);
        Ok(self.message.raids_to_scrap.units().map(|unit| results?.get(unit).cloned()).collect())
    }

    /// Returns the player's id, if it is known.
    async fn id(&self) -> anyhow::Result<Option<PlayerId>> {
        Ok(match &self.message.player_ref {
            PlayerRef::Id(id) => Some(*id),
            PlayerRef::Named(named) => self.stores.directory.find(named).await?.map(|player| player.id),
        })
    }

    /// Returns the dead letters of this message.
    async fn dead_letters(&self) -> anyhow::Result<Vec<DeadLetter>> {
        let mut letters = self.stores.refreshes.dead_letters(DEAD_LETTERS).await?;
        letters.retain(|letter| is_part_of(self.message, &letter.body));
        Ok(letters)
    }
}

/// Returns whether the upstream has given each raid and difficulty an outcome since `before`, which is empty if the player
/// was unknown. A unit that it refused before is not requested again, so its outcome does not change.
fn all_are_new(before: &[Option<UnitResult>], now: &[Option<UnitResult>]) -> bool {
    let pairs = || now.iter().zip(before.iter().chain(repeat(&None)));
    let is_known = |(now, before): (&Option<UnitResult>, &Option<UnitResult>)| match now {
        None => false,
        Some(UnitResult::Refused(_)) => true,
        Some(UnitResult::Served(_)) => now != before,
    };
    pairs().all(is_known) && pairs().any(|(now, before)| now != before)
}

/// Returns whether `body` is `message` or its remainder: a message that was parked for points is sent again with the
/// time at which it was first queued, and without the parts that are done.
fn is_part_of(message: &PlayerMessage, body: &str) -> bool {
    PlayerMessage::from_body(body)
        .is_ok_and(|part| part.player_ref == message.player_ref && message.raids_to_scrap.covers(&part.raids_to_scrap))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_complete_once_every_requested_unit_has_an_outcome() {
        let served = |second| Some(UnitResult::Served(Timestamp::from_second(second).unwrap()));
        let refused = || Some(UnitResult::Refused("Invalid zone specified.".to_owned()));
        for (before, now, expected) in [
            (vec![], vec![served(9), refused()], true),
            (vec![], vec![served(9), None], false),
            (vec![served(1), None], vec![served(9), served(9)], true),
            (vec![served(1), served(1)], vec![served(9), served(1)], false),
            (vec![served(1), served(1)], vec![served(9), refused()], true),
            (vec![served(1), refused()], vec![served(9), refused()], true),
            (vec![served(1), refused()], vec![served(1), refused()], false),
            (vec![refused()], vec![refused()], false),
        ] {
            assert_eq!(all_are_new(&before, &now), expected, "{before:?} {now:?}");
        }
    }

    #[test]
    fn a_dead_letter_that_was_parked_before_is_the_message() {
        let message = PlayerMessage::from_body(r#"{"id":7,"raidsToScrap":{"26":[3,4],"28":[4]}}"#).unwrap();
        for (body, expected) in [
            (message.to_body().as_str(), true),
            (r#"{"id":7,"raidsToScrap":{"26":[3,4],"28":[4]},"queuedAt":"2026-11-30T10:00:00Z"}"#, true),
            (r#"{"id":7,"raidsToScrap":{"28":[4]},"queuedAt":"2026-11-30T10:00:00Z"}"#, true),
            (r#"{"id":7,"raids":{"26":[3]}}"#, true),
            (r#"{"id":7,"raidsToScrap":{"26":[5]}}"#, false),
            (r#"{"id":8,"raidsToScrap":{"26":[3]}}"#, false),
            (r#"{"name":"Ann","server":"kazzak","region":"EU","raidsToScrap":{"26":[3]}}"#, false),
            ("nonsense", false),
        ] {
            assert_eq!(is_part_of(&message, body), expected, "{body}");
        }
    }
}
