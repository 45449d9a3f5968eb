//! Rules for the binary's own source tree: a fleet is one folder and one row, and imports have no cycles.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::words;
use crate::tree::{File, Finding, Rule, Tree};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "fleets-in-their-folders",
        remedy: "what one fleet needs belongs into its folder under fleets/, behind the trait; the list alone names fleets",
        check: fleets_in_their_folders,
        bad: &[
            &[("workers/stint/src/commands/up.rs", "use stint_warcraftlogs::config::Settings;")],
            &[("workers/stint/src/wiring/mod.rs", "let queue = \"wcl-discovered-players\";")],
            &[("workers/stint/src/help.rs", "let example = \"stint demo poe-stashes --pages 500\";")],
            &[("workers/stint/src/fleets/settings.rs", "poe_stashes: Settings,")],
        ],
        good: &[
            &[("workers/stint/src/fleets/mod.rs", "&warcraftlogs::WarcraftLogs, &poe_stashes::PoeStashes")],
            &[("workers/stint/src/fleets/warcraftlogs/up.rs", "use stint_warcraftlogs::config::Settings;")],
            &[("workers/stint/src/config.rs", "#[cfg(test)]\nmod tests { fn a() { \"poe-stashes\" } }")],
            &[("workers/stint/src/cli.rs", "/// A poet.")],
            &[("workers/warcraftlogs/src/lib.rs", "let name = \"warcraftlogs\";")],
        ],
    },
    Rule {
        name: "imports-run-down",
        remedy: "files of different folders import each other in a circle; move what they share below both",
        check: imports_run_down,
        bad: &[
            &[
                ("workers/stint/src/wiring/mod.rs", "use crate::commands::up;"),
                ("workers/stint/src/commands/up.rs", "use crate::wiring::{self, a};"),
            ],
            &[
                ("workers/stint/src/a/mod.rs", "use b::c;"),
                ("workers/stint/src/a/b/mod.rs", "use super::super::d::e;"),
                ("workers/stint/src/d.rs", "fn e() { crate::a::f(); }"),
            ],
        ],
        good: &[
            &[
                ("workers/stint/src/commands/up.rs", "use crate::wiring::Backends;"),
                ("workers/stint/src/wiring/mod.rs", "pub(in crate::commands) fn a() {}\n// crate::commands::up"),
            ],
            &[("workers/stint/src/a/mod.rs", "use b::c;"), ("workers/stint/src/a/b.rs", "use super::d;")],
            &[
                ("workers/stint/src/b/c.rs", "use crate::a::d;"),
                ("workers/stint/src/a.rs", "#[cfg(test)]\nmod tests { use crate::b::c; }"),
            ],
        ],
    },
];

const SOURCES: &str = "workers/stint/src/";

/// The file with the only list of fleets.
const LIST: &str = "workers/stint/src/fleets/mod.rs";

/// The names of the fleets, as used in code and in text.
const FLEETS: &[&[&str]] = &[
    &["warcraftlogs", "WarcraftLogs", "stint_warcraftlogs", "wcl", "wcl_", "WCL_"],
    &["poe-stashes", "PoeStashes", "poe_stashes", "stint_poe_stashes", "poe", "POE_"],
    &["dcss-events", "DcssEvents", "dcss_events", "stint_dcss_events", "dcss"],
    &["gdq-stats", "GdqStats", "gdq_stats", "stint_gdq_stats", "gdq"],
    &["nhl-stats", "NhlStats", "nhl_stats", "stint_nhl_stats", "nhl"],
];

fn fleets_in_their_folders(tree: &Tree) -> Vec<Finding> {
    let in_a_folder =
        |path: &str| path.strip_prefix("workers/stint/src/fleets/").is_some_and(|below| below.contains('/'));
    let is_bound = |file: &&File| file.path.starts_with(SOURCES) && file.path != LIST && !in_a_folder(&file.path);
    let mut findings = Vec::new();
    for file in tree.rust().filter(is_bound) {
        let mut lines = BTreeMap::new();
        for name in FLEETS.concat() {
            for at in words(&file.text, name).into_iter().filter(|at| !file.is_test_at(*at)) {
                lines.insert(file.source.line(at), file.at(at, format!("`{name}` outside its folder")));
            }
        }
        findings.extend(lines.into_values());
    }
    findings
}

fn imports_run_down(tree: &Tree) -> Vec<Finding> {
    let files: BTreeMap<Vec<&str>, &File> = tree
        .rust()
        .filter(|file| file.path.starts_with(SOURCES) && !file.is_test())
        .map(|file| (module(&file.path), file))
        .collect();
    let imports: BTreeMap<&str, BTreeSet<&str>> =
        files.iter().map(|(module, file)| (file.path.as_str(), imported(module, file, &files))).collect();
    let reached: BTreeMap<&str, BTreeSet<&str>> = imports.keys().map(|file| (*file, reach(file, &imports))).collect();
    let mut findings = Vec::new();
    let mut told = BTreeSet::new();
    for (file, to) in &reached {
        let circle: BTreeSet<&str> = to.iter().copied().filter(|other| reached[other].contains(file)).collect();
        let folders: BTreeSet<&str> = circle.iter().map(|path| folder(path)).collect();
        if folders.len() > 1 && told.is_disjoint(&circle) {
            let what = format!("a circle of {}", Vec::from_iter(circle.iter().copied()).join(", "));
            findings.push(Finding { path: (*file).to_owned(), line: 0, what });
            told.extend(circle);
        }
    }
    findings
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Returns the module path of a file: `fleets`, `settings` for `fleets/settings.rs`.
fn module(path: &str) -> Vec<&str> {
    let below = path.trim_start_matches(SOURCES).trim_end_matches(".rs");
    below.split('/').filter(|name| !matches!(*name, "mod" | "main")).collect()
}

/// Returns the files whose items a file imports, except in tests.
fn imported<'t>(own: &[&str], file: &File, files: &BTreeMap<Vec<&'t str>, &'t File>) -> BTreeSet<&'t str> {
    let mut found = BTreeSet::new();
    for (at, path) in file.source.paths() {
        if file.is_test_at(at) || file.source.code[..at].ends_with("in ") {
            continue;
        }
        let mut names: Vec<&str> = path.split("::").collect();
        let mut module: Vec<&str> = own.to_vec();
        match names[0] {
            "crate" => module.clear(),
            "super" | "self" => {}
            child if files.contains_key(&[own, &[child]].concat()) => {}
            _ => continue,
        }
        while matches!(names.first(), Some(&("crate" | "super" | "self"))) {
            if names.remove(0) == "super" {
                module.pop();
            }
        }
        let deepest = (0..=names.len()).rev().find_map(|count| files.get(&[&module[..], &names[..count]].concat()));
        found.extend(deepest.map(|other| other.path.as_str()).filter(|other| *other != file.path));
    }
    found
}

/// Returns every file that is imported directly or indirectly.
fn reach<'t>(from: &str, imports: &BTreeMap<&'t str, BTreeSet<&'t str>>) -> BTreeSet<&'t str> {
    let (mut reached, mut next) = (BTreeSet::new(), Vec::from_iter(imports.get(from).into_iter().flatten().copied()));
    while let Some(file) = next.pop() {
        if reached.insert(file) {
            next.extend(imports.get(file).into_iter().flatten());
        }
    }
    reached
}
