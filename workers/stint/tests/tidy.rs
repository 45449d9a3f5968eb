//! The rules of the house, checked by a test: what `docs/architecture.md` promises about the tree, and how files are
//! written.
//!
//! A rule is a function that maps the repository to findings, with a remedy, and with examples that prove that it can
//! fail and pass. To add a rule, add it to the `RULES` of the module that it belongs to.

#[path = "tidy/boundaries.rs"]
mod boundaries;
#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/house.rs"]
mod house;
#[path = "tidy/layout.rs"]
mod layout;
#[path = "tidy/manifests.rs"]
mod manifests;
#[path = "tidy/pages.rs"]
mod pages;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/style.rs"]
mod style;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/words.rs"]
mod words;

use std::path::Path;

use crate::tree::{Rule, Tree};

fn rules() -> impl Iterator<Item = &'static Rule> {
    let all = [
        boundaries::RULES,
        documents::RULES,
        house::RULES,
        layout::RULES,
        manifests::RULES,
        pages::RULES,
        style::RULES,
        words::RULES,
    ];
    all.into_iter().flatten()
}

#[test]
fn the_repository_is_tidy() {
    let tree = Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    assert!(tree.files.len() > 50, "only {} files: the rules would pass on nothing", tree.files.len());
    let mut broken = Vec::new();
    for rule in rules() {
        for finding in (rule.check)(&tree) {
            let tree::Finding { path, line, what } = finding;
            broken.push(format!("{path}:{line}: {what}: {} [{}]", rule.remedy, rule.name));
        }
    }
    broken.sort();
    assert!(broken.is_empty(), "{} broken rules:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn every_rule_can_fail_and_can_pass() {
    for rule in rules() {
        assert!(!rule.bad.is_empty() && !rule.good.is_empty(), "{} has no examples", rule.name);
        for example in rule.bad {
            let findings = (rule.check)(&Tree::of(example));
            assert_eq!(findings.len(), 1, "{} on {example:?}: {findings:?}", rule.name);
        }
        for example in rule.good {
            let findings = (rule.check)(&Tree::of(example));
            assert!(findings.is_empty(), "{} on {example:?}: {findings:?}", rule.name);
        }
    }
}

#[test]
fn every_rule_has_a_name_of_its_own() {
    let mut names: Vec<&str> = rules().map(|rule| rule.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
}
