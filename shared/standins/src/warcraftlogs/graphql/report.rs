//! `reportData`: lists of reports, and the ranked characters of a report.

use super::character::FoundCharacter;
use super::execution::Execution;
use super::plan::Node;
use crate::random::{Purpose, RandomSequence};
use crate::warcraftlogs::constants::{self, REPORT_COST_MICROS, REPORTS_PER_PAGE};
use crate::warcraftlogs::json;
use crate::warcraftlogs::reports::Report;

/// The error for a report that does not exist.
const NO_REPORT: &str = "This report does not exist or is private.";
/// The stand-in lists reports only by raid.
const NO_ZONE: &str = "You must specify a zoneID of a known raid.";

/// One page of a list.
struct Listed {
    reports: Vec<Report>,
    total: u64,
    per_page: u64,
    page: u64,
}

impl<'d> Execution<'d> {
    /// `report(…)` and `reports(…)`.
    pub(super) fn report_data(&mut self, node: &Node<'d>) {
        if node.definition.name == "reports" {
            return self.reports(node);
        }
        match self.text(node, "code").and_then(|code| self.state.reports.find(code)) {
            Some(report) => self.report(&report, node),
            None => self.fail(NO_REPORT),
        }
    }

    fn reports(&mut self, node: &Node<'d>) {
        let zone = self.int(node, "zoneID").and_then(|id| constants::zone(u32::try_from(id).ok()?));
        let Some(zone) = zone else { return self.fail(NO_ZONE) };
        self.cost_micros += REPORT_COST_MICROS;
        let ages = self.state.reports.between(zone, self.int(node, "startTime"), self.int(node, "endTime"));
        let positive = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
        let limit = positive(self.int(node, "limit"));
        let per_page = if limit == 0 { REPORTS_PER_PAGE } else { limit.min(REPORTS_PER_PAGE) };
        let page = positive(self.int(node, "page")).max(1);
        let first = ages.start.saturating_add((page - 1).saturating_mul(per_page)).min(ages.end);
        let shown = first..first.saturating_add(per_page).min(ages.end);
        let listed = match self.text(node, "guildName") {
            None => {
                let reports = shown.filter_map(|age| self.state.reports.aged(zone, age)).collect();
                Listed { reports, total: ages.end - ages.start, per_page, page }
            }
            Some(guild) => {
                let place = (self.text(node, "guildServerSlug"), self.text(node, "guildServerRegion"));
                let all: Vec<Report> = ages
                    .filter_map(|age| self.state.reports.aged(zone, age))
                    .filter(|report| self.state.reports.is_of_guild(report, guild, place))
                    .collect();
                let first = (page - 1).saturating_mul(per_page) as usize;
                let reports = all.iter().skip(first).take(per_page as usize).copied().collect();
                Listed { reports, total: all.len() as u64, per_page, page }
            }
        };
        self.object(&node.children, |execution, field| execution.listed_field(&listed, field));
    }

    fn listed_field(&mut self, listed: &Listed, node: &Node<'d>) {
        let last_page = listed.total.div_ceil(listed.per_page).max(1);
        let first = (listed.page - 1).saturating_mul(listed.per_page) + 1;
        let shown = listed.reports.len() as u64;
        match node.definition.name {
            "data" => self.list(listed.reports.iter(), |execution, report| execution.report(report, node)),
            "total" => json::number(&mut self.out, listed.total),
            "per_page" => json::number(&mut self.out, listed.per_page),
            "current_page" => json::number(&mut self.out, listed.page),
            "last_page" => json::number(&mut self.out, last_page),
            "has_more_pages" => self.boolean(listed.page < last_page),
            "from" if shown > 0 => json::number(&mut self.out, first),
            "to" if shown > 0 => json::number(&mut self.out, first + shown - 1),
            _ => self.null(),
        }
    }

    fn report(&mut self, report: &Report, node: &Node<'d>) {
        let mut charged = false;
        self.object(&node.children, |execution, field| {
            if field.definition.name == "rankedCharacters" && !charged {
                execution.cost_micros += REPORT_COST_MICROS;
                charged = true;
            }
            execution.report_field(report, field);
        });
    }

    fn report_field(&mut self, report: &Report, node: &Node<'d>) {
        match node.definition.name {
            "code" => {
                let code = self.state.reports.code(report);
                json::text(&mut self.out, &code);
            }
            "startTime" => json::signed(&mut self.out, report.start_millis),
            "endTime" => json::signed(&mut self.out, report.end_millis),
            "title" => json::text(&mut self.out, report.zone.name),
            "visibility" => json::text(&mut self.out, "public"),
            "zone" => self.zone(report.zone, node),
            "rankedCharacters" => self.ranked_characters(report, node),
            "fights" => self.fights(report, node),
            _ => self.null(),
        }
    }

    fn ranked_characters(&mut self, report: &Report, node: &Node<'d>) {
        let population = self.state.reports.population;
        let raiders = self.state.reports.raiders(report).iter();
        let known = raiders.filter_map(|&player| FoundCharacter::new(population, player, population.id(player)));
        self.list(known, |execution, found| {
            execution.object(&node.children, |execution, field| execution.character_field(&found, field));
        });
    }

    /// Writes one kill for each boss that the raid defeated, and a wipe on the next one.
    fn fights(&mut self, report: &Report, node: &Node<'d>) {
        let encounters = report.zone.encounters;
        let subject = u64::from(report.zone.id) << 40 | report.number;
        let mut draw = RandomSequence::of(self.state.reports.seed, Purpose::Report, subject);
        let killed = draw.within(1, encounters.len() as u64) as usize;
        let wanted_kill = match self.text(node, "killType") {
            Some("Kills") => Some(true),
            Some("Wipes") => Some(false),
            Some("Trash") => return self.out.push_str("[]"),
            _ => None,
        };
        let (difficulty, encounter) = (self.int(node, "difficulty"), self.int(node, "encounterID"));
        let fights = encounters.iter().take(killed + 1).enumerate().map(|(place, boss)| (place, boss, place < killed));
        let wanted = fights.filter(|(_, boss, kill)| {
            wanted_kill.is_none_or(|wanted| wanted == *kill)
                && difficulty.is_none_or(|wanted| wanted == i64::from(report.difficulty))
                && encounter.is_none_or(|wanted| wanted == i64::from(boss.0))
        });
        self.list(wanted, |execution, (place, boss, kill)| {
            execution.object(&node.children, |execution, field| match field.definition.name {
                "difficulty" => json::number(&mut execution.out, report.difficulty.into()),
                "encounterID" => json::number(&mut execution.out, boss.0.into()),
                "id" => json::number(&mut execution.out, place as u64 + 1),
                "kill" => execution.boolean(kill),
                "name" => json::text(&mut execution.out, boss.1),
                _ => execution.null(),
            });
        });
    }
}
