//! Rules about the members' `Cargo.toml` files.

use std::collections::BTreeSet;

use crate::source::words;
use crate::tree::{File, Finding, Rule, Tree};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "one-version-each",
        remedy: "name the version once, in the workspace's Cargo.toml, and write `NAME.workspace = true` here",
        check: one_version_each,
        bad: &[
            &[("shared/http/Cargo.toml", "[dependencies]\nbase64 = \"0.23\"")],
            &[("shared/http/Cargo.toml", "[dev-dependencies]\nbase64 = { version = \"0.23\", features = [] }")],
            &[("shared/http/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nlibc = { path = \"../libc\" }")],
            &[("shared/http/Cargo.toml", "[dependencies.base64]\nversion = \"0.23\"")],
        ],
        good: &[&[(
            "shared/http/Cargo.toml",
            "[package]\nname = \"a\"\n[dependencies]\n# why\nbase64.workspace = true\nb = { workspace = true, features = [\n  \"c\",\n] }",
        )]],
    },
    Rule {
        name: "dependencies-are-used",
        remedy: "remove the line, or use it",
        check: dependencies_are_used,
        bad: &[
            &[
                ("shared/http/Cargo.toml", "[dependencies]\nserde-json.workspace = true"),
                ("shared/http/src/a.rs", "serde_jsonic"),
            ],
            &[("shared/http/Cargo.toml", "[dev-dependencies]\nurl.workspace = true"), ("shared/aws/src/a.rs", "url")],
            &[("Cargo.toml", "[workspace.dependencies]\nurl = \"2\""), ("shared/aws/Cargo.toml", "")],
        ],
        good: &[&[
            ("Cargo.toml", "[workspace.dependencies]\nserde-json = \"1\""),
            ("shared/http/Cargo.toml", "[dependencies]\nserde-json.workspace = true"),
            ("shared/http/tests/it/a.rs", "use serde_json::Value;"),
            ("shared/fuzz/Cargo.toml", "[dev-dependencies]\nserde-json.workspace = true"),
            (
                "shared/fuzz/src/a.rs",
                "#[path = \"../../http/src/b.rs\"]\n#[path = \"../../../shared/http/tests/it/a.rs\"]\nmod a;",
            ),
        ]],
    },
    Rule {
        name: "lints-are-inherited",
        remedy: "add `[lints]` with `workspace = true`",
        check: lints_are_inherited,
        bad: &[&[("shared/http/Cargo.toml", "[package]\nname = \"a\"")]],
        good: &[&[("shared/http/Cargo.toml", "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n")]],
    },
    Rule {
        name: "only-stint-wires",
        remedy: "only workers/stint joins adapters to fleets",
        check: only_stint_wires,
        bad: &[
            &[
                NHL,
                (
                    "shared/host/Cargo.toml",
                    "[dependencies]\nstint-aws.workspace = true\nstint-nhl-stats.workspace = true",
                ),
            ],
            &[NHL, ("workers/gdq-stats/Cargo.toml", "[dependencies]\nstint-nhl-stats.workspace = true")],
            &[("workers/gdq-stats/Cargo.toml", "[dependencies]\nstint-host.workspace = true")],
            &[NHL, ("shared/core/Cargo.toml", "[dependencies]\nstint-nhl-stats.workspace = true")],
        ],
        good: &[
            &[
                NHL,
                (
                    "workers/stint/Cargo.toml",
                    "[dependencies]\nstint-aws.workspace = true\nstint-nhl-stats.workspace = true",
                ),
            ],
            &[NHL, ("shared/fuzz/Cargo.toml", "[dependencies]\nstint-nhl-stats.workspace = true")],
            &[
                NHL,
                (
                    "workers/gdq-stats/Cargo.toml",
                    "[dependencies]\nstint-core.workspace = true\n[dev-dependencies]\nstint-host.workspace = true",
                ),
            ],
        ],
    },
];

const NHL: (&str, &str) = ("workers/nhl-stats/Cargo.toml", "[package]\nname = \"stint-nhl-stats\"");

/// An entry in a table of dependencies.
struct Dependency<'a> {
    line: usize,
    table: &'a str,
    name: &'a str,
    entry: &'a str,
}

fn dependencies(manifest: &File) -> Vec<Dependency<'_>> {
    let (mut table, mut found) = ("", Vec::new());
    for (index, line) in manifest.text.lines().enumerate() {
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end().trim_end_matches(']');
            if let Some((_, name)) = table.split_once("dependencies.") {
                found.push(Dependency { line: index + 1, table, name, entry: line });
            }
        } else if table.ends_with("dependencies") && line.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            found.push(Dependency { line: index + 1, table, name, entry: line });
        }
    }
    found
}

fn one_version_each(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in tree.manifests() {
        for Dependency { line, name, entry, .. } in dependencies(manifest) {
            if !entry.contains("workspace = true") || entry.contains("version") || entry.contains("path =") {
                findings.push(manifest.on_line(line, format!("`{name}` is not the workspace's")));
            }
        }
    }
    findings
}

fn dependencies_are_used(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in tree.manifests() {
        let own: Vec<&File> = tree.rust().filter(|file| file.member() == manifest.member()).collect();
        // A `#[path]` attribute may include a file of another member.
        let paths = own.iter().flat_map(|file| file.text.split("#[path = \"").skip(1));
        let taken_in: Vec<&str> = paths.filter_map(|rest| rest.split('"').next()).collect();
        let is_taken_in = |file: &&File| taken_in.iter().any(|path| path.ends_with(&format!("/{}", file.path)));
        let members: Vec<&File> =
            tree.rust().filter(|file| file.member() == manifest.member() || is_taken_in(file)).collect();
        for Dependency { line, name, .. } in dependencies(manifest) {
            let ident = name.replace('-', "_");
            if !members.iter().any(|file| !words(&file.text, &ident).is_empty()) {
                findings.push(manifest.on_line(line, format!("nothing here uses `{name}`")));
            }
        }
    }
    for workspace in tree.files.iter().filter(|file| file.path == "Cargo.toml") {
        for Dependency { line, name, .. } in dependencies(workspace) {
            if !tree.manifests().flat_map(dependencies).any(|dependency| dependency.name == name) {
                findings.push(workspace.on_line(line, format!("no member uses `{name}`")));
            }
        }
    }
    findings
}

fn lints_are_inherited(tree: &Tree) -> Vec<Finding> {
    let lacking = tree.manifests().filter(|manifest| !manifest.text.contains("[lints]\nworkspace = true"));
    lacking.map(|manifest| manifest.on_line(1, "the workspace's lints do not apply")).collect()
}

fn only_stint_wires(tree: &Tree) -> Vec<Finding> {
    let name = |manifest: &File| Some(manifest.text.split_once("name = \"")?.1.split_once('"')?.0.to_owned());
    let fleets: BTreeSet<String> = tree.manifests().filter(|manifest| manifest.is_fleet()).filter_map(name).collect();
    let mut findings = Vec::new();
    // The fuzz targets test crates of both kinds.
    let wires = |manifest: &&File| matches!(manifest.member(), ("workers", "stint") | ("shared", "fuzz"));
    for manifest in tree.manifests().filter(|manifest| !wires(manifest)) {
        for Dependency { line, table, name, .. } in dependencies(manifest) {
            // A fleet's own sqlite store files use `stint-embedded`; another rule checks which files may.
            let joins = fleets.contains(name) || (manifest.is_fleet() && matches!(name, "stint-host" | "stint-aws"));
            if table == "dependencies" && joins {
                findings.push(manifest.on_line(line, format!("depends on `{name}`")));
            }
        }
    }
    findings
}
