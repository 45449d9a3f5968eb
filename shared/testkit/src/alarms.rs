//! The conformance suite of the alarms' records, with the alarms on them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::join_all;
use jiff::SignedDuration;
use stint_core::alarms::StoredAlarms;
use stint_core::clock::{Clock, ManualClock};
use stint_core::ports::{AlarmId, AlarmKind, AlarmMessage, AlarmRecord, AlarmSink, Alarms, PortResult, REMINDER};

use crate::world::AlarmWorld;

/// The conformance tests of the alarms' records: `alarms_suite!(run, world)`, where `run` runs a future to its end and
/// `world` is a future of a [`crate::AlarmWorld`].
#[macro_export]
macro_rules! alarms_suite {
    ($run:expr, $world:expr) => {
        $crate::expand_suite! {
            alarms, $run, $world,
            an_outage_is_told_once
            it_is_told_again_every_hour
            an_all_clear_says_how_long_it_lasted
            a_second_outage_is_a_new_one
            a_restart_neither_repeats_nor_forgets
            one_of_many_concurrent_raisers_sends
            a_message_whose_sender_exited_is_sent_again
            a_failing_recipient_is_tried_again_at_the_next_reminder
            an_all_clear_that_never_arrives_is_given_up
            alarms_do_not_share_records
            open_alarms_are_listed_from_the_oldest
            a_clock_that_was_ahead_silences_nothing
            a_stale_version_replaces_nothing
        }
    };
}

const MINUTE: Duration = Duration::from_secs(60);

/// Collects messages, and fails or hangs on request.
#[derive(Default)]
struct Recorder {
    messages: Mutex<Vec<AlarmMessage>>,
    fails: AtomicBool,
    hangs: AtomicBool,
}

#[async_trait]
impl AlarmSink for Recorder {
    async fn send(&self, message: &AlarmMessage) -> Result<(), String> {
        if self.hangs.load(Ordering::SeqCst) {
            futures::future::pending::<()>().await;
        }
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(message.clone());
        if self.fails.load(Ordering::SeqCst) { Err("no answer".to_owned()) } else { Ok(()) }
    }
}

/// Alarms in several processes that share records, recipient and time.
struct Processes<'a> {
    world: &'a dyn AlarmWorld,
    recorder: Arc<Recorder>,
    clock: ManualClock,
}

impl<'a> Processes<'a> {
    fn new(world: &'a dyn AlarmWorld) -> Processes<'a> {
        Processes { world, recorder: Arc::default(), clock: ManualClock::new(jiff::Timestamp::UNIX_EPOCH) }
    }

    async fn start(&self) -> PortResult<StoredAlarms> {
        let clock = Arc::new(self.clock.clone());
        Ok(StoredAlarms::new(self.world.records().await?, vec![self.recorder.clone()], clock))
    }

    /// Returns the messages since the last call.
    fn told(&self) -> Vec<AlarmMessage> {
        std::mem::take(&mut *self.recorder.messages.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn kinds(&self) -> Vec<AlarmKind> {
        self.told().into_iter().map(|message| message.kind).collect()
    }
}

fn api() -> PortResult<AlarmId> {
    AlarmId::new("warcraftlogs/discover", "api")
}

/// Two processes raise it every minute for an hour.
pub async fn an_outage_is_told_once(world: &dyn AlarmWorld) -> PortResult<()> {
    let processes = Processes::new(world);
    let (one, two) = (processes.start().await?, processes.start().await?);
    for _ in 0..60 {
        one.raise(&api()?, "status 502").await?;
        two.raise(&api()?, "status 503").await?;
        processes.clock.advance(MINUTE);
    }
    let told = processes.told();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].kind, told[0].lasted_seconds), (AlarmKind::Raised, 0));
    assert_eq!(told[0].text, "warcraftlogs/discover: status 502");
    Ok(())
}

/// By whichever process sees it next, with what is wrong now.
pub async fn it_is_told_again_every_hour(world: &dyn AlarmWorld) -> PortResult<()> {
    let processes = Processes::new(world);
    let (one, two) = (processes.start().await?, processes.start().await?);
    for minute in 0..200 {
        let way = if minute % 3 == 0 { &one } else { &two };
        way.raise(&api()?, &format!("minute {minute}")).await?;
        processes.clock.advance(MINUTE);
    }
    let told = processes.told();
    let seen: Vec<(AlarmKind, u64)> = told.iter().map(|message| (message.kind, message.lasted_seconds / 60)).collect();
    let reminder = |minute| (AlarmKind::Reminder, minute);
    assert_eq!(seen, [(AlarmKind::Raised, 0), reminder(60), reminder(120), reminder(180)]);
    assert_eq!(told[3].text, "warcraftlogs/discover: still, for 3 h 0 min: minute 180");
    Ok(())
}

/// Once. Clearing what was never raised says nothing.
pub async fn an_all_clear_says_how_long_it_lasted(world: &dyn AlarmWorld) -> PortResult<()> {
    let processes = Processes::new(world);
    let (one, two) = (processes.start().await?, processes.start().await?);
    one.clear(&api()?).await?;
    assert_eq!(processes.kinds(), []);
    one.raise(&api()?, "status 502").await?;
    processes.clock.advance(27 * 60 * MINUTE);
    for _ in 0..3 {
        two.clear(&api()?).await?;
        one.clear(&api()?).await?;
        processes.clock.advance(2 * REMINDER);
    }
    let told = processes.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!((told[1].kind, told[1].lasted_seconds), (AlarmKind::Cleared, 27 * 3600));
    assert_eq!(told[1].text, "warcraftlogs/discover: api is over after 1 d 3 h: status 502");
    Ok(())
}

/// Even if it begins within the hour.
pub async fn a_second_outage_is_a_new_one(world: &dyn AlarmWorld) -> PortResult<()> {
    let processes = Processes::new(world);
    let alarms = processes.start().await?;
    for _ in 0..2 {
        alarms.raise(&api()?, "status 502").await?;
        processes.clock.advance(MINUTE);
        alarms.clear(&api()?).await?;
        processes.clock.advance(MINUTE);
    }
    let told = processes.told();
    let kinds: Vec<AlarmKind> = told.iter().map(|message| message.kind).collect();
    assert_eq!(kinds, [AlarmKind::Raised, AlarmKind::Cleared, AlarmKind::Raised, AlarmKind::Cleared]);
    assert_eq!((told[2].lasted_seconds, told[3].lasted_seconds), (0, 60));
    Ok(())
}

/// A new process knows what was told, and when.
pub async fn a_restart_neither_repeats_nor_forgets(world: &dyn AlarmWorld) -> PortResult<()> {
    let processes = Processes::new(world);
    processes.start().await?.raise(&api()?, "status 502").await?;
    assert_eq!(processes.kinds(), [AlarmKind::Raised]);
    for _ in 0..5 {
        processes.start().await?.raise(&api()?, "status 502").await?;
        processes.clock.advance(10 * MINUTE);
    }
    assert_eq!(processes.kinds(), []);
    processes.clock.advance(10 * MINUTE);
    processes.start().await?.raise(&api()?, "status 502").await?;
    assert_eq!(processes.kinds(), [AlarmKind::Reminder]);
    processes.start().await?.clear(&api()?).await?;
    assert_eq!(processes.kinds(), [AlarmKind::Cleared]);
    Ok(())
}

/// Of the first message, of a reminder, and of the all-clear.
pub async fn one_of_many_concurrent_raisers_sends(world: &dyn AlarmWorld) -> PortResult<()> {
    let processes = Processes::new(world);
    let mut many = Vec::new();
    for _ in 0..8 {
        many.push(processes.start().await?);
    }
    let id = api()?;
    for kind in [AlarmKind::Raised, AlarmKind::Reminder, AlarmKind::Cleared] {
        let calls = many.iter().map(async |alarms| match kind {
            AlarmKind::Cleared => alarms.clear(&id).await,
            _ => alarms.raise(&id, "status 502").await,
        });
        // One that was never faster than the others fails, and has sent nothing.
        let succeeded = join_all(calls).await.into_iter().filter(Result::is_ok).count();
        assert!(succeeded > 0);
        assert_eq!(processes.kinds(), [kind]);
        processes.clock.advance(REMINDER);
    }
    Ok(())
}

/// A minute later, by any process.
pub async fn a_message_whose_sender_exited_is_sent_again(world: &dyn AlarmWorld) -> PortResult<()> {
    let processes = Processes::new(world);
    let id = api()?;
    for kind in [AlarmKind::Raised, AlarmKind::Reminder, AlarmKind::Cleared] {
        let call = async |alarms: StoredAlarms| match kind {
            AlarmKind::Cleared => alarms.clear(&id).await,
            _ => alarms.raise(&id, "status 502").await,
        };
        processes.recorder.hangs.store(true, Ordering::SeqCst);
        {
            // The process exits while it sends. Until then others leave the message to it.
            let mut sending = Box::pin(call(processes.start().await?));
            while processes.world.records().await?.load(&id).await?.is_none_or(|(_, record)| record.pending.is_none()) {
                assert!((&mut sending).now_or_never().is_none());
                processes.world.breathe().await;
            }
            processes.recorder.hangs.store(false, Ordering::SeqCst);
            call(processes.start().await?).await?;
            assert_eq!(processes.kinds(), []);
        }
        processes.clock.advance(MINUTE);
        call(processes.start().await?).await?;
        assert_eq!(processes.kinds(), [kind]);
        processes.clock.advance(REMINDER);
    }
    Ok(())
}

/// It fails no caller. The record says why, until a message arrives.
pub async fn a_failing_recipient_is_tried_again_at_the_next_reminder(world: &dyn AlarmWorld) -> PortResult<()> {
    let processes = Processes::new(world);
    let alarms = processes.start().await?;
    processes.recorder.fails.store(true, Ordering::SeqCst);
    for _ in 0..60 {
        alarms.raise(&api()?, "status 502").await?;
        processes.clock.advance(MINUTE);
    }
    assert_eq!(processes.kinds(), [AlarmKind::Raised]);
    assert_eq!(alarms.open().await?[0].failure.as_deref(), Some("no answer"));
    processes.recorder.fails.store(false, Ordering::SeqCst);
    alarms.raise(&api()?, "status 502").await?;
    assert_eq!(processes.kinds(), [AlarmKind::Raised], "it has not arrived before");
    assert_eq!(alarms.open().await?[0].failure, None);
    processes.clock.advance(REMINDER);
    alarms.raise(&api()?, "status 502").await?;
    assert_eq!(processes.kinds(), [AlarmKind::Reminder]);
    Ok(())
}

/// After a day, so that a recipient that is gone for good costs nothing.
pub async fn an_all_clear_that_never_arrives_is_given_up(world: &dyn AlarmWorld) -> PortResult<()> {
    let processes = Processes::new(world);
    let alarms = processes.start().await?;
    alarms.raise(&api()?, "status 502").await?;
    processes.told();
    processes.recorder.fails.store(true, Ordering::SeqCst);
    for _ in 0..100 {
        alarms.clear(&api()?).await?;
        processes.clock.advance(REMINDER);
    }
    assert_eq!(processes.kinds(), [AlarmKind::Cleared; 24]);
    Ok(())
}

/// Neither those of one source, nor those of one name.
pub async fn alarms_do_not_share_records(world: &dyn AlarmWorld) -> PortResult<()> {
    let processes = Processes::new(world);
    let alarms = processes.start().await?;
    let ids = [("warcraftlogs", "api"), ("warcraftlogs", "site"), ("poe-stashes", "api"), ("warcraftlogs/api", "api")];
    for (source, name) in ids {
        alarms.raise(&AlarmId::new(source, name)?, "down").await?;
    }
    let told: BTreeSet<AlarmId> = processes.told().into_iter().map(|message| message.id).collect();
    assert_eq!(told.len(), ids.len());
    alarms.clear(&AlarmId::new("warcraftlogs", "api")?).await?;
    let open: BTreeSet<AlarmId> = alarms.open().await?.into_iter().map(|record| record.id).collect();
    assert_eq!(open.len(), ids.len() - 1);
    assert!(!open.contains(&AlarmId::new("warcraftlogs", "api")?));
    Ok(())
}

/// Without those that are over.
pub async fn open_alarms_are_listed_from_the_oldest(world: &dyn AlarmWorld) -> PortResult<()> {
    let processes = Processes::new(world);
    let (one, two) = (processes.start().await?, processes.start().await?);
    assert_eq!(two.open().await?, []);
    for name in ["c", "a", "b"] {
        one.raise(&AlarmId::new("fleet", name)?, &format!("{name} – ‘down’")).await?;
        processes.clock.advance(MINUTE);
    }
    one.clear(&AlarmId::new("fleet", "a")?).await?;
    let open = two.open().await?;
    let names: Vec<&str> = open.iter().map(|record| record.id.name.as_str()).collect();
    assert_eq!(names, ["c", "b"]);
    assert_eq!((open[0].since, open[0].text.as_str()), (jiff::Timestamp::UNIX_EPOCH, "c – ‘down’"));
    assert_eq!(open[0].told_at, Some(jiff::Timestamp::UNIX_EPOCH));
    Ok(())
}

/// The clock was a year ahead when the last message was sent.
pub async fn a_clock_that_was_ahead_silences_nothing(world: &dyn AlarmWorld) -> PortResult<()> {
    let processes = Processes::new(world);
    let alarms = processes.start().await?;
    processes.clock.jump(SignedDuration::from_hours(365 * 24));
    alarms.raise(&api()?, "status 502").await?;
    processes.clock.jump(SignedDuration::from_hours(-365 * 24));
    alarms.raise(&api()?, "status 502").await?;
    alarms.raise(&api()?, "status 502").await?;
    assert_eq!(processes.kinds(), [AlarmKind::Raised, AlarmKind::Reminder]);
    alarms.clear(&api()?).await?;
    let told = processes.told();
    assert_eq!((told[0].kind, told[0].lasted_seconds), (AlarmKind::Cleared, 0));
    Ok(())
}

/// A write that names an older version, a newer one or a missing record changes nothing.
pub async fn a_stale_version_replaces_nothing(world: &dyn AlarmWorld) -> PortResult<()> {
    let (one, two, clock) =
        (world.records().await?, world.records().await?, ManualClock::new(jiff::Timestamp::UNIX_EPOCH));
    let record = |text: &str| {
        let (id, text, since) = (api()?, text.to_owned(), clock.now());
        PortResult::Ok(AlarmRecord { id, text, since, told_at: None, cleared_at: None, pending: None, failure: None })
    };
    let (first, second) = (record("first")?, record("second")?);
    assert!(!one.replace(1, &first).await?, "there is none yet");
    assert!(one.replace(0, &first).await?);
    assert!(!two.replace(0, &second).await?);
    assert!(two.replace(1, &second).await?);
    assert!(!one.replace(1, &first).await?);
    assert!(!one.replace(3, &first).await?);
    assert_eq!(one.load(&api()?).await?, Some((2, second.clone())));
    assert_eq!(two.list().await?, [second]);
    Ok(())
}
