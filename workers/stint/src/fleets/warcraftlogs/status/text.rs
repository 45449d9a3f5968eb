//! Formats the status as a page of text.

use std::fmt::Write;

use jiff::Timestamp;

use super::{RulesStatus, WclStatus};
use crate::escape::one_line;
use crate::fleets::warcraftlogs::commands::keys::KeyView;
use crate::fleets::warcraftlogs::commands::rules::pause_text;
use crate::format::{count, number, points};
use crate::table::Table;
use crate::time_format::format_time;
use crate::views::breakers::write_upstreams;
use crate::views::schedules::write_schedules;

pub(super) fn write(text: &mut String, fleet: &WclStatus, now: Timestamp) -> std::fmt::Result {
    write_rules(text, &fleet.rules, now)?;
    fleet.resting.iter().try_for_each(|pause| writeln!(text, "resting     {}", pause_text(pause, now)))?;
    let discovers = &fleet.discovers;
    let [due, waiting, fresh] = [discovers.due, discovers.waiting, discovers.fresh].map(number);
    writeln!(text, "discovered  {due} due, {waiting} queued already, {fresh} fresh")?;
    for queue in &fleet.queues {
        let counts = &queue.counts;
        let [visible, in_flight, delayed, parked] =
            [counts.visible, counts.in_flight, counts.delayed, queue.parked].map(number);
        let dead = count(counts.dead_letters, "dead letter", "dead letters");
        writeln!(
            text,
            "queue       {}: {visible} visible, {in_flight} in flight, {delayed} delayed, {dead}",
            queue.queue
        )?;
        writeln!(text, "parked      {parked}")?;
    }
    let (ranked, dropped) = (number(fleet.players.ranked), number(fleet.players.dropped));
    writeln!(text, "players     {ranked} ranked, {dropped} dropped")?;
    for (position, key) in fleet.keys.iter().enumerate() {
        writeln!(text, "{}{}", if position == 0 { "keys        " } else { "            " }, key_text(key, now))?;
    }
    write_upstreams(text, &fleet.upstreams, now)?;
    if fleet.calls_functions {
        write_schedules(text, &fleet.schedules, now)?;
    }
    writeln!(text, "\n{}", workers(fleet, now).to_string().trim_end())?;
    if !fleet.hints.is_empty() {
        writeln!(text, "\nto do:")?;
    }
    fleet.hints.iter().try_for_each(|hint| writeln!(text, "  {hint}"))
}

fn write_rules(text: &mut String, rules: &RulesStatus, now: Timestamp) -> std::fmt::Result {
    let states = [
        (rules.running, "reading"),
        (rules.interrupted, "interrupted"),
        (rules.resting, "resting"),
        (rules.due, "due"),
        (rules.fresh, "fresh"),
    ];
    let counts: Vec<String> =
        states.iter().filter(|(amount, _)| *amount > 0).map(|(amount, state)| format!("{amount} {state}")).collect();
    let colon = if counts.is_empty() { "" } else { ": " };
    writeln!(text, "rules       {}{colon}{}", number(rules.total as u64), counts.join(", "))?;
    for rule in &rules.shown {
        let (raid, difficulty) = (rule.raid_text(), rule.difficulty_text());
        let (start, end, state) = (rule.start_page, rule.end_page, one_line(&rule.state_text(now)));
        writeln!(text, "            {raid}, {difficulty}, pages {start} to {end}: {state}")?;
    }
    match rules.total.saturating_sub(rules.shown.len()) {
        0 => Ok(()),
        hidden => writeln!(text, "            and {hidden} more: stint wcl rules list"),
    }
}

fn key_text(key: &KeyView, now: Timestamp) -> String {
    let state = key.state_text(now);
    match (key.limit, key.resets_at) {
        (Some(limit), Some(at)) => {
            let [free, reserved, limit, held] = [key.free, key.reserved, limit, key.held].map(points);
            let (name, resets) = (&key.key, format_time(at, now));
            format!("{name}: {state}, {free} of {limit} points free, {reserved} reserved, {held} held, resets {resets}")
        }
        _ => format!("{}: {state}", key.key),
    }
}

fn workers(fleet: &WclStatus, now: Timestamp) -> Table {
    let mut table = Table::new(["worker", ">at once", "next run", "what it does or waits for"]);
    for worker in &fleet.workers {
        let throttle = &worker.throttle;
        let next = match worker.next_run {
            Some(at) => format_time(at, now),
            None if worker.queue.is_some() => "by message".into(),
            None => "not scheduled".into(),
        };
        table.row([throttle.worker.to_owned(), throttle.effective.to_string(), next, worker.says.clone()]);
    }
    table
}
