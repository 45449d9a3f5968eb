//! Rules about where files belong and how long they may be.

use std::collections::BTreeSet;

use crate::tree::{Finding, Rule, Tree};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "fixed-top-level",
        remedy: "the top level is fixed; put it into the folder that it belongs to",
        check: fixed_top_level,
        bad: &[&[("notes.md", "")], &[("tools/a.sh", ""), ("tools/b.sh", "")]],
        good: &[&[("Cargo.toml", ""), ("workers/stint/src/main.rs", ""), (".ci/run", ""), ("LICENSE-MIT", "")]],
    },
    Rule {
        name: "short-files",
        remedy: "split the file by concern",
        check: short_files,
        bad: &[&[("shared/core/src/lib.rs", LONG)], &[("scripts/test", LONG)]],
        good: &[&[("Cargo.lock", LONG), ("workers/warcraftlogs/graphql/schema.graphql", LONG), ("scripts/bench", "")]],
    },
    Rule {
        name: "short-front-pages",
        remedy: "say it in fewer words, or in another page of docs/ with a link",
        check: short_front_pages,
        bad: &[&[("README.md", LONG)], &[("docs/architecture.md", LONG)]],
        good: &[&[("README.md", "# Stint\n"), ("docs/configuration.md", LONG)]],
    },
];

/// 401 lines.
const LONG: &str = match std::str::from_utf8(&[b'\n'; 401]) {
    Ok(lines) => lines,
    Err(_) => "",
};

const TOP_LEVEL: &[&str] = &[
    "workers",
    "shared",
    "infra",
    "scripts",
    "docs",
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "deny.toml",
    "clippy.toml",
    "rustfmt.toml",
    "rust-toolchain.toml",
    "_typos.toml",
];

const MAX_LINES: usize = 400;

/// The front pages, with their maximum number of lines.
const FRONT_PAGES: &[(&str, usize)] = &[("README.md", 119), ("docs/architecture.md", 130)];

fn fixed_top_level(tree: &Tree) -> Vec<Finding> {
    let entries: BTreeSet<&str> = tree.files.iter().map(|file| file.member().0).collect();
    let stray = entries.into_iter().filter(|entry| !entry.starts_with('.') && !TOP_LEVEL.contains(entry));
    stray.map(|entry| Finding { path: entry.to_owned(), line: 0, what: "a new entry at the top".to_owned() }).collect()
}

fn short_files(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let written =
            matches!(file.name().rsplit_once('.'), Some((_, "rs" | "sh" | "tf" | "lua" | "toml" | "yml" | "py")));
        let lines = file.text.lines().count();
        if (written || file.path.starts_with("scripts/")) && lines > MAX_LINES {
            findings.push(file.on_line(lines, format!("{lines} lines, {MAX_LINES} at most")));
        }
    }
    findings
}

fn short_front_pages(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, most) in FRONT_PAGES {
        for file in tree.files.iter().filter(|file| file.path == *path) {
            let lines = file.text.lines().count();
            if lines > *most {
                findings.push(file.on_line(lines, format!("{lines} lines, {most} at most")));
            }
        }
    }
    findings
}
