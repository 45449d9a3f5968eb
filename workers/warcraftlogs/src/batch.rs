//! A batch of messages on its way through the rank fetcher: what is still to be fetched of each, and its fate.

use jiff::Timestamp;
use stint_core::points::Points;
use stint_core::ports::Parked;
use stint_core::worker::{Disposition, MessageException};

use crate::client::RanksOf;
use crate::message::PlayerMessage;
use crate::model::{Difficulty, RaidId, RaidsToScrap};
use crate::results::Results;
use crate::whom::Whom;

/// A failed call is tried again at once this often; each try holds points of its own.
const CALL_TRIES: u32 = 3;

/// The messages of one invocation.
pub(crate) struct Batch {
    messages: Vec<Message>,
    /// Those that cannot be read.
    malformed: Vec<MessageException>,
    /// The ids of messages that were parked.
    parked: Vec<String>,
}

struct Message {
    message_id: String,
    whom: Whom,
    /// What is still to be fetched.
    units: Vec<(RaidId, Difficulty)>,
    /// Asked for without company, since a never-classed player may spoil the answer of all.
    alone: bool,
    failed_calls: u32,
    exception: Option<Disposition>,
}

/// Messages to be asked for in one request.
pub(crate) struct Group {
    /// One entry per message.
    pub(crate) messages: Vec<RanksOf>,
}

impl Batch {
    /// Reads messages of these ids and bodies. A malformed one is rejected with what is wrong; the others go on.
    pub(crate) fn read(messages: impl IntoIterator<Item = (String, String)>) -> Batch {
        let mut batch = Batch { messages: Vec::new(), malformed: Vec::new(), parked: Vec::new() };
        for (message_id, body) in messages {
            match PlayerMessage::from_body(&body) {
                Ok(body) => batch.messages.push(Message::new(message_id, body)),
                Err(reason) => {
                    let disposition = Disposition::Reject { reason };
                    batch.malformed.push(MessageException { message_id, disposition });
                }
            }
        }
        batch.merge_repeats();
        batch
    }

    /// Two messages of one player become one request: aliases are unique. The first carries what both ask for.
    fn merge_repeats(&mut self) {
        for later in 1..self.messages.len() {
            let (before, rest) = self.messages.split_at_mut(later);
            let Some(repeat) = rest.first_mut() else { continue };
            if let Some(first) = before.iter_mut().find(|message| message.whom == repeat.whom) {
                let units = first.units.iter().chain(&repeat.units).copied();
                first.units = units.collect::<RaidsToScrap>().units().collect();
                repeat.units.clear();
            }
        }
    }

    /// The next messages to ask for in one request: all that may share one, else a single one.
    pub(crate) fn next_group(&self) -> Option<Group> {
        let shared: Vec<RanksOf> = self.open().filter(|message| !message.alone).map(Message::request).collect();
        if !shared.is_empty() {
            return Some(Group { messages: shared });
        }
        self.open().next().map(|message| Group { messages: vec![message.request()] })
    }

    /// The messages that have no fate yet, each player once.
    fn open(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(|message| message.is_open())
    }

    /// What was asked for is stored: takes it off the messages. A dropped player has nothing left to fetch; it is
    /// asked for again only if its message was split.
    pub(crate) fn served(&mut self, asked: &[RanksOf], Results { failed, unclear, .. }: Results) {
        for message in self.asked_for(&unclear) {
            message.alone = true;
        }
        for message in &mut self.messages {
            if unclear.iter().any(|request| request.whom == message.whom) {
                continue;
            }
            if let Some(request) = asked.iter().find(|request| request.whom == message.whom) {
                message.units.retain(|unit| !request.units.contains(unit));
            }
            if let Some((_, disposition)) = failed.iter().find(|(whom, _)| *whom == message.whom) {
                message.exception = Some(disposition.clone());
            }
        }
    }

    /// No answer came: try again at once, and after a few tries give the messages back.
    pub(crate) fn call_failed(&mut self, asked: &[RanksOf], reason: &str) {
        for message in self.asked_for(asked) {
            message.failed_calls += 1;
            if message.failed_calls >= CALL_TRIES {
                message.exception = Some(Disposition::Retry { reason: reason.to_owned() });
            }
        }
    }

    /// Whether any message has its fate.
    pub(crate) fn is_begun(&self) -> bool {
        !self.malformed.is_empty() || self.messages.iter().any(|message| !message.is_open())
    }

    /// Gives back every message that has no fate yet.
    pub(crate) fn give_back(&mut self, reason: &str) {
        let open: Vec<RanksOf> = self.open().map(Message::request).collect();
        for message in self.asked_for(&open) {
            message.exception = Some(Disposition::Retry { reason: reason.to_owned() });
        }
    }

    /// No key will ever pay for these.
    pub(crate) fn reject_unpriceable(&mut self, group: &Group, unit: Points, largest: Points) {
        for message in self.asked_for(&group.messages) {
            message.exception = Some(unpriceable(unit, largest));
        }
    }

    fn asked_for<'a>(&'a mut self, asked: &'a [RanksOf]) -> impl Iterator<Item = &'a mut Message> {
        self.messages.iter_mut().filter(|message| asked.iter().any(|request| request.whom == message.whom))
    }

    /// What is still to be fetched, as messages to park: each under its message's id, with just the rest of its
    /// raids and difficulties.
    pub(crate) fn unserved(&self, queue: &str, now: Timestamp) -> Vec<Parked> {
        let park = |message: &Message| {
            let raids_to_scrap = message.units.iter().copied().collect();
            let body = PlayerMessage { whom: message.whom.clone(), raids_to_scrap }.to_body();
            Parked { id: message.message_id.clone(), queue: queue.to_owned(), body, parked_at: now }
        };
        self.open().map(park).collect()
    }

    /// The messages of these ids are parked with what was not fetched of them.
    pub(crate) fn set_aside(&mut self, ids: Vec<String>) {
        self.messages.iter_mut().for_each(|message| message.units.clear());
        self.parked.extend(ids);
    }

    /// The ids of messages that were parked.
    pub(crate) fn parked(&self) -> &[String] {
        &self.parked
    }

    /// How many raids and difficulties the whole batch asks for.
    pub(crate) fn units(&self) -> usize {
        self.open().map(|message| message.units.len()).sum()
    }

    /// The messages that must not simply be acknowledged.
    pub(crate) fn exceptions(self) -> Vec<MessageException> {
        let exception = |message: Message| {
            let disposition = message.exception?;
            Some(MessageException { message_id: message.message_id, disposition })
        };
        self.malformed.into_iter().chain(self.messages.into_iter().filter_map(exception)).collect()
    }
}

impl Message {
    fn new(message_id: String, PlayerMessage { whom, raids_to_scrap }: PlayerMessage) -> Message {
        let units = raids_to_scrap.units().collect();
        Message { message_id, whom, units, alone: false, failed_calls: 0, exception: None }
    }

    fn is_open(&self) -> bool {
        self.exception.is_none() && !self.units.is_empty()
    }

    fn request(&self) -> RanksOf {
        RanksOf { whom: self.whom.clone(), units: self.units.clone() }
    }
}

impl Group {
    /// The part of the group that a grant pays for.
    pub(crate) fn paid(&self, taken: &[usize]) -> Vec<RanksOf> {
        let pairs = self.messages.iter().zip(taken).filter(|(_, taken)| **taken > 0);
        pairs
            .map(|(message, taken)| RanksOf { whom: message.whom.clone(), units: message.units[..*taken].to_vec() })
            .collect()
    }
}

/// Why a message that no key can pay for is among the dead letters.
fn unpriceable(unit: Points, largest: Points) -> Disposition {
    Disposition::Reject {
        reason: format!(
            "WCL_CALL_BUDGET: one raid and difficulty may cost {unit} points, and the largest key has {largest} per \
             window; lower WCL_CALL_BUDGET or WCL_GUARD, or add a larger key, then redrive"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(bodies: &[&str]) -> Batch {
        Batch::read(bodies.iter().enumerate().map(|(index, body)| (format!("m{index}"), (*body).to_owned())))
    }

    #[test]
    fn a_malformed_message_is_rejected_and_the_others_go_on() {
        let batch = batch(&["{}", r#"{"id":7,"raids":{"26":[3]}}"#]);
        assert_eq!(batch.next_group().unwrap().messages, [RanksOf { whom: Whom::Id(7), units: vec![(26, 3)] }]);
        let exceptions = batch.exceptions();
        assert_eq!(exceptions.len(), 1);
        assert_eq!(exceptions[0].message_id, "m0");
    }

    #[test]
    fn two_messages_of_one_player_are_one_request() {
        let mut batch = batch(&[r#"{"id":7,"raids":{"26":[3]}}"#, r#"{"id":7,"raids":{"26":[3,5]}}"#]);
        let group = batch.next_group().unwrap();
        assert_eq!(group.messages, [RanksOf { whom: Whom::Id(7), units: vec![(26, 3), (26, 5)] }]);
        batch.served(&group.messages, Results::default());
        assert!(batch.next_group().is_none());
        assert!(batch.exceptions().is_empty());
    }

    #[test]
    fn a_split_message_parks_its_rest() {
        let mut batch = batch(&[r#"{"id":7,"raids":{"26":[3,4],"28":[5]}}"#]);
        let group = batch.next_group().unwrap();
        batch.served(&group.paid(&[2]), Results::default());
        let parked = batch.unserved("q", Timestamp::UNIX_EPOCH);
        assert_eq!(parked[0].body, r#"{"id":7,"raidsToScrap":{"28":[5]}}"#);
        assert_eq!(parked[0].id, "m0");
    }

    #[test]
    fn a_spoiled_answer_is_asked_for_player_by_player() {
        let mut batch = batch(&[r#"{"id":7,"raids":{"26":[3]}}"#, r#"{"id":8,"raids":{"26":[3]}}"#]);
        let group = batch.next_group().unwrap();
        batch.served(&group.messages, Results { unclear: group.messages.clone(), ..Results::default() });
        let alone = batch.next_group().unwrap();
        assert_eq!(alone.messages.len(), 1);
        batch.served(&alone.messages, Results::default());
        assert_eq!(batch.next_group().unwrap().messages[0].whom, Whom::Id(8));
    }

    #[test]
    fn what_has_no_fate_yet_is_given_back_and_repeats_with_it() {
        let mut batch = batch(&[
            r#"{"id":7,"raids":{"26":[3]}}"#,
            r#"{"id":8,"raids":{"26":[3]}}"#,
            r#"{"id":8,"raids":{"28":[3]}}"#,
        ]);
        batch.served(&batch.next_group().unwrap().messages[..1], Results::default());
        assert!(batch.is_begun());
        batch.give_back("the store is away");
        assert!(batch.next_group().is_none());
        let given_back = batch.exceptions().into_iter().map(|exception| exception.message_id);
        assert_eq!(given_back.collect::<Vec<String>>(), ["m1", "m2"]);
    }

    #[test]
    fn a_call_that_keeps_failing_gives_the_message_back() {
        let mut batch = batch(&[r#"{"id":7,"raids":{"26":[3]}}"#]);
        for _ in 0..CALL_TRIES {
            let group = batch.next_group().unwrap();
            batch.call_failed(&group.messages, "502 from the upstream");
        }
        assert!(batch.next_group().is_none());
        let exceptions = batch.exceptions();
        assert!(matches!(&exceptions[0].disposition, Disposition::Retry { reason } if reason.contains("502")));
    }
}
