//! Tests of hours, slots and their messages.

use proptest::prelude::*;

use super::*;
use crate::clock::after;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const TEN_SECONDS: Duration = Duration::from_secs(10);
const NIGHT: ActiveHours = ActiveHours::new(10, 4, "America/New_York");

#[test]
fn hours_may_cross_midnight() {
    for (at, expected) in [
        ("2026-11-20T14:59:59Z", false),
        ("2026-11-20T15:00:00Z", true),
        ("2026-11-21T04:59:59Z", true),
        ("2026-11-21T08:59:59Z", true),
        ("2026-11-21T09:00:00Z", false),
    ] {
        assert_eq!(NIGHT.contains(time(at)), expected, "{at}");
    }
    let day = ActiveHours::new(9, 17, "Europe/Berlin");
    for (at, expected) in
        [("2026-07-01T06:59:59Z", false), ("2026-07-01T07:00:00Z", true), ("2026-07-01T15:00:00Z", false)]
    {
        assert_eq!(day.contains(time(at)), expected, "{at}");
    }
    assert!(ActiveHours::new(7, 7, "UTC").contains(time("2026-07-01T06:30:00Z")), "all hours");
}

/// In New York, clocks went from 01:59 EST to 03:00 EDT on 2026-03-08, and from 01:59 EDT to 01:00 EST on 2026-11-01.
#[test]
fn clocks_that_change_leave_an_hour_out_and_show_one_twice() {
    let second = ActiveHours::new(2, 4, "America/New_York");
    let spring = [("06:59:59", false), ("07:00:00", true), ("07:59:59", true), ("08:00:00", false)];
    for (at, expected) in spring {
        assert_eq!(second.contains(time(&format!("2026-03-08T{at}Z"))), expected, "{at}");
    }
    let first = ActiveHours::new(1, 2, "America/New_York");
    let autumn = [("04:59:59", false), ("05:00:00", true), ("06:00:00", true), ("06:59:59", true), ("07:00:00", false)];
    for (at, expected) in autumn {
        assert_eq!(first.contains(time(&format!("2026-11-01T{at}Z"))), expected, "{at}");
    }
}

#[test]
fn an_unknown_zone_is_never_active() {
    let nowhere = ActiveHours::new(0, 0, "America/Atlantis");
    assert!(!nowhere.is_known() && NIGHT.is_known());
    assert!(!nowhere.contains(Timestamp::UNIX_EPOCH));
    assert_eq!(NIGHT.to_string(), "from 10:00 until 04:00 America/New_York");
}

#[test]
fn an_aligned_tick_counts_by_its_slot_and_another_by_now() {
    let every = Every::new(TEN_SECONDS).within(NIGHT);
    let (last, after_end) = (time("2026-11-21T08:59:50Z"), time("2026-11-21T09:00:00.2Z"));
    assert!(every.aligned().is_active(last, after_end));
    assert!(!every.is_active(last, after_end));
    assert!(Every::new(TEN_SECONDS).is_active(last, after_end), "without hours it is always active");
}

#[test]
fn a_minute_has_its_slots_and_a_late_tick_those_that_are_left() {
    let tick = time("2026-11-20T10:00:00Z");
    let delays = |period, late| {
        let messages = Slot::messages(period, tick, after(tick, Duration::from_millis(late)));
        messages.iter().map(|message| message.delay.as_millis()).collect::<Vec<_>>()
    };
    assert_eq!(delays(TEN_SECONDS, 0), [0, 10_000, 20_000, 30_000, 40_000, 50_000]);
    assert_eq!(delays(TEN_SECONDS, 34_500), [0, 5_500, 15_500]);
    assert_eq!(delays(TEN_SECONDS, 60_000), [0; 0]);
    assert_eq!(delays(Duration::from_secs(25), 0), [0, 25_000, 50_000], "those of this minute");
}

#[test]
fn a_slot_is_the_body_of_its_message() {
    let slot = Slot { slot: time("2026-11-20T10:00:10Z"), until: time("2026-11-20T10:00:20Z") };
    let body = slot.message(time("2026-11-20T10:00:00Z")).body;
    assert_eq!(body, r#"{"slot":"2026-11-20T10:00:10Z","until":"2026-11-20T10:00:20Z"}"#);
    assert_eq!(body, serde_json::to_string(&slot).unwrap());
    assert_eq!(Slot::parse(&body).unwrap(), slot);
    let error = Slot::parse(r#"{"slot":"soon"}"#).unwrap_err().to_string();
    assert!(error.starts_with("not a slot: "), "{error}");
    assert!(!slot.is_overtaken(time("2026-11-20T10:00:19.999Z")) && slot.is_overtaken(slot.until));
}

#[test]
fn slots_are_multiples_of_the_period_since_the_epoch() {
    let at = time("2026-11-20T10:07:03.5Z");
    for (seconds, slot, next) in [
        (10, "2026-11-20T10:07:00Z", "2026-11-20T10:07:10Z"),
        (300, "2026-11-20T10:05:00Z", "2026-11-20T10:10:00Z"),
        (86_400, "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"),
    ] {
        let period = Duration::from_secs(seconds);
        assert_eq!((slot_at(period, at), slot_after(period, at)), (time(slot), time(next)));
        assert_eq!(slot_at(period, time(slot)), time(slot));
        assert_eq!(slot_after(period, time(slot)), time(next));
    }
}

proptest! {
    /// Whatever the period, and at whichever second ticks come.
    #[test]
    fn ticks_a_minute_apart_have_every_slot_once(period in 1_u64..60_000, first in 0_i64..10_000_000_000_000, minutes in 1_u32..5) {
        let (period, start) = (Duration::from_millis(period), from_millis(first));
        let ticks = (0..minutes).map(|minute| after(start, MINUTE * minute));
        let slots: Vec<Slot> = ticks.flat_map(|tick| Slot::of_minute(period, tick)).collect();
        prop_assert!(slots.iter().all(|slot| slot_at(period, slot.slot) == slot.slot && slot.slot >= start));
        prop_assert!(slots.windows(2).all(|pair| pair[0].until == pair[1].slot));
        let end = after(start, MINUTE * minutes);
        prop_assert!(slots.last().is_none_or(|slot| slot.slot < end && slot.until >= end));
    }
}

const MINUTE: Duration = Duration::from_secs(60);
