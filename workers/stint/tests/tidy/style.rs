//! Rules about Rust code.

use crate::source::{closing, words};
use crate::tree::{File, Finding, Rule, Tree};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "nothing-unfinished",
        remedy: "finish it, or leave it out",
        check: nothing_unfinished,
        bad: &[
            &[("shared/core/src/lib.rs", "fn a() { todo!() }")],
            &[("shared/core/src/lib.rs", "fn a() { unimplemented!(\"b\") }")],
            &[("shared/core/tests/it.rs", "#[test]\n#[ignore = \"slow\"]\nfn a() {}")],
        ],
        good: &[&[("shared/core/src/lib.rs", "// A todo!() would be found.\nfn ignore() { a[ignore] = \"todo!\"; }")]],
    },
    Rule {
        name: "expectations-with-reasons",
        remedy: "write `#[expect(LINT, reason = \"…\")]`, which ends when its cause ends",
        check: expectations_with_reasons,
        bad: &[
            &[("shared/core/src/lib.rs", "#[allow(dead_code)]\nfn a() {}")],
            &[("shared/core/tests/it.rs", "#![allow(clippy::unwrap_used)]")],
            &[("shared/core/src/lib.rs", "#[cfg_attr(test, allow(dead_code))]\nfn a() {}")],
            &[("shared/core/src/lib.rs", "#[expect(dead_code)]\nfn a() {}")],
        ],
        good: &[&[(
            "shared/core/src/lib.rs",
            "#[expect(\n    dead_code,\n    reason = \"b\"\n)]\nfn a() { self.allow(b); }\n#[cfg_attr(not(feature = \"c\"), \
             allow(dead_code, reason = \"d\"))]",
        )]],
    },
    Rule {
        name: "panics-with-reasons",
        remedy: "return an error, or say in a comment on this line or above it why this cannot happen",
        check: panics_with_reasons,
        bad: &[
            &[("shared/core/src/lib.rs", "fn a() { b().unwrap(); }")],
            &[("shared/core/src/lib.rs", "fn a() {\n    b()\n        .expect(\"c\");\n}")],
            &[("shared/core/src/lib.rs", "/// Documentation is no reason.\nfn a() { panic!(\"b\") }")],
            &[(
                "shared/core/src/lib.rs",
                "fn a() { unreachable!() }\n#[cfg(test)]\nmod tests { fn b() { c().unwrap(); } }",
            )],
        ],
        good: &[
            &[("shared/core/src/lib.rs", "fn a() {\n    b().unwrap(); // b was checked above\n}")],
            &[(
                "shared/core/src/lib.rs",
                "fn a() {\n    // The lock is never held across a panic.\n    b()\n        .expect(\"c\");\n}",
            )],
            &[("shared/core/src/lib.rs", "fn a() { cursor.expect(\"[\")?; self.expect(b'{')?; b().unwrap_or(c); }")],
            &[("shared/core/src/ledger/tests.rs", "fn a() { b().unwrap(); }")],
        ],
    },
    Rule {
        name: "errors-read-on",
        remedy: "an error is printed behind a colon: start in lower case, end without a full stop",
        check: errors_read_on,
        bad: &[
            &[("shared/core/src/lib.rs", "#[error(\"Not found\")]\nstruct A;")],
            &[("shared/core/src/lib.rs", "#[error(\"not found.\")]\nstruct A;")],
            &[("shared/core/src/lib.rs", "fn a() { bail!(\n    \"Cannot open {b}\"\n) }")],
            &[("shared/core/src/lib.rs", "fn a() { b().with_context(|| format!(\"Reading {c}\"))?; }")],
            &[("shared/core/src/lib.rs", "fn a() { b().context(\"While reading\")?; ensure!(c, \"d\"); }")],
        ],
        good: &[
            &[("shared/core/src/lib.rs", "#[error(\"{0} is gone\")]\nstruct A;\n#[error(transparent)]\nstruct B;")],
            &[("shared/core/src/lib.rs", "fn a() { bail!(\"WCL_KEYS is missing\"); anyhow!(\"MongoDB is away…\"); }")],
        ],
    },
    Rule {
        name: "shared-crates-are-documented",
        remedy: "add `#![warn(missing_docs)]` to the crate's lib.rs",
        check: shared_crates_are_documented,
        bad: &[&[("shared/core/src/lib.rs", "//! Core.\n// #![warn(missing_docs)]")]],
        good: &[
            &[("shared/core/src/lib.rs", "//! Core.\n#![warn(missing_docs)]")],
            &[("workers/nhl-stats/src/lib.rs", "//! A fleet.")],
        ],
    },
    Rule {
        name: "files-introduce-themselves",
        remedy: "begin the file with a `//!` sentence on what it is for",
        check: files_introduce_themselves,
        bad: &[&[("shared/core/src/plan.rs", "use std::fmt;\n")]],
        good: &[&[("shared/core/src/plan.rs", "//! Plans.\n"), ("shared/core/tests/it/main.rs", "mod a;")]],
    },
];

fn nothing_unfinished(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        for mark in ["todo!", "unimplemented!", "#[ignore"] {
            findings.extend(words(&file.source.code, mark).into_iter().map(|at| file.at(at, format!("`{mark}`"))));
        }
    }
    findings
}

fn expectations_with_reasons(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let code = &file.source.code;
        for (start, _) in code.match_indices('#') {
            let open = start + code[start..].find('[').unwrap_or(0);
            if !matches!(&code[start..open], "#" | "#!") {
                continue;
            }
            let attribute = &code[open + 1..closing(code, open)];
            // What a build with fewer features leaves unused differs from one set of features to the next.
            let is_partial =
                attribute.strip_prefix("cfg_attr(").is_some_and(|rest| rest.trim_start().starts_with("not(feature"))
                    && !words(attribute, "reason").is_empty();
            if attribute.starts_with("allow(")
                || (attribute.starts_with("cfg_attr(") && !is_partial && !words(attribute, "allow(").is_empty())
            {
                findings.push(file.at(start, "`allow`"));
            } else if attribute.starts_with("expect(") && words(attribute, "reason").is_empty() {
                findings.push(file.at(start, "`expect` without a reason"));
            }
        }
    }
    findings
}

fn panics_with_reasons(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let code = &file.source.code;
        for panic in [".unwrap()", ".expect(", "panic!(", "unreachable!("] {
            for at in words(code, panic) {
                // A method of this project that is named `expect` returns a result, which is propagated.
                let handed_on = panic == ".expect(" && code[closing(code, at + panic.len() - 1)..].starts_with('?');
                if !handed_on && !file.is_test_at(at) && !is_explained(file, at) {
                    findings.push(file.at(at, format!("`{}` without a reason", panic.trim_end_matches('('))));
                }
            }
        }
    }
    findings
}

/// Returns whether there is a comment on this line, or on a line from the one above the statement to this one.
fn is_explained(file: &File, offset: usize) -> bool {
    let line = file.source.line(offset);
    let lines: Vec<&str> = file.source.code.lines().collect();
    let mut first = line;
    while first > 1
        && !lines[first - 2].trim_end().ends_with([';', '{', '}', ','])
        && !lines[first - 2].trim().is_empty()
    {
        first -= 1;
    }
    (first.saturating_sub(1)..=line).any(|line| file.source.comments.contains(&line))
}

fn errors_read_on(tree: &Tree) -> Vec<Finding> {
    const OPENINGS: &[&str] = &["#[error(", "anyhow!(", "bail!(", ".context(", ".with_context(|| format!("];
    let mut findings = Vec::new();
    for file in tree.rust() {
        let code = &file.source.code;
        for opening in OPENINGS {
            for at in words(code, opening) {
                let inside = at + opening.len();
                let text = inside + code[inside..].len() - code[inside..].trim_start().len();
                let Some(error) = file.source.literals.get(&text) else { continue };
                if let Some(fault) = fault(error) {
                    findings.push(file.at(text, format!("\"{error}\" {fault}")));
                }
            }
        }
    }
    findings
}

/// Names that keep their capital letter at the start of an error.
const NAMES: &[&str] =
    &["DynamoDB", "EventBridge", "GraphQL", "Lambda", "Lua", "MongoDB", "Postgres", "SQLite", "Warcraft"];

fn fault(error: &str) -> Option<&'static str> {
    let first = error.split(|char: char| !char.is_alphanumeric() && char != '_').next().unwrap_or_default();
    let setting = first.len() > 1 && !first.contains(char::is_lowercase);
    let capital = first.starts_with(char::is_uppercase) && !setting && !NAMES.contains(&first);
    let full_stop = error.ends_with('.') && !error.ends_with("...");
    if capital {
        Some("starts with a capital")
    } else if full_stop {
        Some("ends in a full stop")
    } else {
        None
    }
}

fn shared_crates_are_documented(tree: &Tree) -> Vec<Finding> {
    let is_shared = |file: &&File| file.path.starts_with("shared/") && file.path.ends_with("/src/lib.rs");
    let lacking = tree.rust().filter(is_shared).filter(|file| !file.source.code.contains("#![warn(missing_docs)]"));
    lacking.map(|file| file.on_line(1, "documentation may be missing")).collect()
}

fn files_introduce_themselves(tree: &Tree) -> Vec<Finding> {
    let lacking = tree.rust().filter(|file| file.path.contains("/src/") && !file.text.starts_with("//!"));
    lacking.map(|file| file.on_line(1, "no word on what this file is for")).collect()
}
