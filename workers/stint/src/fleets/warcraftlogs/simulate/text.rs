//! Formats a simulation's report.

use std::time::Duration;

use stint_core::points::Points;

use super::result::{SimulationResult, WindowResult};
use super::scenario::Scenario;
use crate::fleets::warcraftlogs::report::FleetReport;
use crate::format::{count, number, points};
use crate::table::Table;

/// Returns the first line: whether the work fits, and what would make it fit.
pub(super) fn verdict(scenario: &Scenario, result: &SimulationResult) -> String {
    let players = count(u64::from(scenario.players), "player", "players");
    let capacity = result.capacity;
    let per_day = number(capacity.players_per_day as u64);
    if let Some(done) = result.done_after_seconds {
        let share = capacity.share_per_day;
        return format!(
            "yes: {players} are done after {}; these keys serve {per_day} players a day, {share:.1} times that many",
            span(done)
        );
    }
    if capacity.players_per_day <= 0.0 {
        return format!("no: none of {players} was fetched in {}", span(scenario.hours.as_secs_f64()));
    }
    let keys = count(capacity.keys_needed, "such key", "such keys");
    let days = span(capacity.days_for_all * 86_400.0);
    if capacity.days_for_all * 86_400.0 <= scenario.hours.as_secs_f64() {
        return format!(
            "not yet: these keys serve {per_day} players a day, which is enough, but discovery comes first; {} of \
             {players} are left after {}",
            number(result.ages.never),
            span(scenario.hours.as_secs_f64())
        );
    }
    let hours = span(scenario.hours.as_secs_f64());
    format!("no: these keys serve {per_day} players a day; {players} need {days}, or {keys} to be done in {hours}")
}

/// Formats the whole report.
pub(super) fn to_text(report: &FleetReport) -> String {
    let Some(result) = &report.simulation else { return report.to_text() };
    let mut lines = vec![result.verdict.clone(), String::new()];
    let mut row = |name: &str, value: String| lines.push(format!("{name:<12} {value}"));
    let (players, budget, queue) = (report.players, report.budget, report.queue);
    row(
        "players",
        format!(
            "{} discovered, {} ranked, {} dropped (hidden, unknown, never classed, merged), {} lost",
            number(players.discovered),
            number(players.ranked),
            number(players.dropped),
            number(players.lost)
        ),
    );
    row("ranks", ages(result));
    row(
        "waiting",
        format!(
            "{} to be queued, {} to be refreshed later, {} queued, {} parked; at most {} queued and {} parked",
            number(result.left.to_queue),
            number(result.left.fresh),
            number(result.left.queued),
            number(result.left.parked),
            number(result.left.most_queued),
            number(result.left.most_parked)
        ),
    );
    row(
        "points",
        format!(
            "{} spent, {} overspent, {} calls refused; {:.1} points a player",
            points(budget.spent),
            points(budget.overspent),
            number(budget.refused_calls),
            result.capacity.points_per_player
        ),
    );
    if budget.utilisation > 0.0 {
        row("", format!("{:.2} % used of the windows that had work all the time", budget.utilisation * 100.0));
    }
    flow(result, &mut row);
    row(
        "messages",
        format!(
            "{} received for {} done ({:.3} each), {} parked, {} dead letters",
            number(queue.received),
            number(queue.succeeded),
            queue.receives_per_success,
            number(queue.parked),
            number(queue.dead_letters)
        ),
    );
    if result.cloud.sqs.expired > 0 {
        row(
            "",
            format!("{} were dropped by the queue, which keeps a message 14 days", number(result.cloud.sqs.expired)),
        );
    }
    cloud(report, result, &mut row);
    lines.push(String::new());
    format!("{}\n{}", lines.join("\n"), keys(result))
}

fn flow(result: &SimulationResult, row: &mut impl FnMut(&str, String)) {
    let flow = &result.flow;
    if flow.utilisation_while_due > 0.0 {
        row(
            "",
            format!(
                "{:.2} % used of the windows at whose end a player was due; {} expired there",
                flow.utilisation_while_due * 100.0,
                points(flow.expired_while_due)
            ),
        );
    }
    let first = match flow.first_rank_after_seconds {
        Some(seconds) => format!("first rank after {}", span(seconds)),
        None => "no rank".to_owned(),
    };
    let databases = match flow.databases_after_seconds.first() {
        Some(seconds) => format!("first databases after {}", span(*seconds)),
        None => "no databases".to_owned(),
    };
    let expired = points(flow.expired_before_first_rank);
    row("start", format!("{first}, {expired} points expired before; {databases}"));
}

fn ages(result: &SimulationResult) -> String {
    let ages = result.ages;
    let capacity = result.capacity;
    format!(
        "{} old at the median, {} at the 95th percentile, {} players never fetched; {:.1} % of all players fit in a day",
        span(ages.median_seconds),
        span(ages.p95_seconds),
        number(ages.never),
        capacity.share_per_day * 100.0
    )
}

fn cloud(report: &FleetReport, result: &SimulationResult, row: &mut impl FnMut(&str, String)) {
    let cloud = &result.cloud;
    row(
        "invocations",
        format!(
            "{}, {} wasted, {} cold, {} throttled; {:.1} GB-seconds",
            number(report.invocations.total),
            number(report.invocations.wasted),
            number(cloud.rank_fetcher.cold_starts + cloud.others.cold_starts),
            number(cloud.rank_fetcher.throttled),
            cloud.bill.gb_seconds
        ),
    );
    row(
        "throttle",
        format!(
            "{} writes, {} requests refused; wake-ups {:.0} s late at the median, {:.0} s at most",
            number(cloud.control_plane.throttle_writes),
            number(cloud.control_plane.refused),
            result.wakeups.median_seconds,
            result.wakeups.longest_seconds
        ),
    );
    row(
        "cost",
        format!(
            "${:.2} a month on AWS: Lambda ${:.2} + ${:.2} (arm64; x86 ${:.2} in all), SQS ${:.2}, schedules ${:.2}",
            cloud.bill.month,
            cloud.bill.lambda_requests,
            cloud.bill.lambda_time,
            cloud.bill.month_x86,
            cloud.bill.sqs,
            cloud.bill.scheduler
        ),
    );
}

/// The most keys that are listed individually.
const MAX_KEYS: usize = 20;

fn keys(result: &SimulationResult) -> String {
    let mut table =
        Table::new(["key", ">limit", ">windows", ">with backlog", ">used of those", ">expired", ">worst window"]);
    for key in result.keys.iter().take(MAX_KEYS) {
        let busy: Vec<&WindowResult> = key.windows.iter().filter(|window| window.backlog).collect();
        let spent: Points = busy.iter().map(|window| window.spent).sum();
        let granted = key.limit.to_float() * busy.len() as f64;
        let used = if granted > 0.0 { format!("{:.2} %", spent.to_float() / granted * 100.0) } else { "-".into() };
        let worst = busy.iter().map(|window| window.expired).max();
        table.row([
            key.key.clone(),
            points(key.limit),
            number(key.windows.len() as u64),
            number(busy.len() as u64),
            used,
            points(busy.iter().map(|window| window.expired).sum()),
            worst.map_or_else(|| "-".into(), points),
        ]);
    }
    let more = result.keys.len().saturating_sub(MAX_KEYS);
    let rest = if more > 0 { format!("and {more} more keys; --json lists all\n") } else { String::new() };
    format!("{table}{rest}")
}

/// Formats a time span: `3 h 12 min`, `43 days`.
fn span(seconds: f64) -> String {
    let duration = Duration::from_secs_f64(seconds.clamp(0.0, 1e12));
    let (days, hours, minutes) = (duration.as_secs() / 86_400, duration.as_secs() / 3_600, duration.as_secs() / 60);
    match (days, hours, minutes) {
        (10.., ..) => format!("{days} days"),
        (2.., ..) => format!("{days} days {} h", hours % 24),
        (_, 1.., _) => format!("{hours} h {} min", minutes % 60),
        (_, _, 1..) => format!("{minutes} min"),
        _ => format!("{} s", duration.as_secs()),
    }
}
