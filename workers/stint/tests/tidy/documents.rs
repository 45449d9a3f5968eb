//! Rules that apply to every text of the repository: pages, scripts and code.

use std::collections::BTreeSet;

use crate::source::words;
use crate::tree::{File, Finding, Rule, Tree};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "nothing-left-to-do",
        remedy: "do it, or file an issue and link it in a sentence",
        check: nothing_left_to_do,
        bad: &[&[("shared/core/src/lib.rs", "// TODO: b")], &[("scripts/test", "# a FIXME")], &[("docs/a.md", "XXX")]],
        good: &[&[("scripts/test", "mktemp -d /tmp/stint.XXXXXX"), ("docs/a.md", "a mastodon, a todo list")]],
    },
    Rule {
        name: "links-lead-somewhere",
        remedy: "point the link to a file of the repository",
        check: links_lead_somewhere,
        bad: &[
            &[("README.md", "# a\nSee [b](docs/b.md).")],
            &[("docs/a.md", "![c](../images/c.png)")],
            &[("docs/a.md", "[b]\n\n[b]: b.md")],
            &[("docs/a.md", "[above](../../main/README.md)")],
        ],
        good: &[
            &[
                ("README.md", "[b](docs/b.md#top), [d](docs/), [e](https://example.org/e)"),
                ("docs/b.md", "[up](../README.md)"),
            ],
            &[("docs/a.md", "```\n[b](b.md)\n```\nand `[c](d)`; [here](#here)")],
        ],
    },
    Rule {
        name: "no-registry-hosts",
        remedy: "name packages, and leave their registry to the client's own settings",
        check: no_registry_hosts,
        bad: &[
            &[("deny.toml", "allow-registry = [\"https://github.com/rust-lang/crates.io-index\"]")],
            &[("scripts/test", "pip install --index-url https://pypi.org/simple typos")],
        ],
        good: &[&[
            ("scripts/test", "pip install typos"),
            ("README.md", "See https://docs.rs/jiff."),
            ("Cargo.lock", "https://github.com/rust-lang/crates.io-index"),
        ]],
    },
    Rule {
        name: "no-machine-paths",
        remedy: "name the path relative to the repository, or take it from a setting",
        check: no_machine_paths,
        bad: &[
            &[("scripts/bench", "cd /work/main")],
            &[("docs/a.md", "`/root/.cargo`")],
            &[(".ci/run", "cp /home/ann/a .")],
        ],
        good: &[&[("scripts/bench", "cd \"$root/workers/work/a\"; cp ~/.cargo/config.toml /tmp/stint")]],
    },
];

const MARKS: &[&str] = &["TODO", "FIXME", "XXX"];

const REGISTRY_HOSTS: &[&str] = &[
    "crates.io",
    "pypi.org",
    "pythonhosted.org",
    "npmjs.org",
    "npmjs.com",
    "proxy.golang.org",
    "maven.org",
    "maven.apache.org",
    "deb.debian.org",
    "registry.terraform.io",
];

/// Folders that exist on one machine only and are missing in a fresh clone.
const MACHINE_PATHS: &[&str] = &["/work/", "/root/", "/home/"];

fn nothing_left_to_do(tree: &Tree) -> Vec<Finding> {
    lines(tree, |line| MARKS.iter().copied().find(|mark| !words(line, mark).is_empty()))
}

fn no_registry_hosts(tree: &Tree) -> Vec<Finding> {
    lines(tree, |line| REGISTRY_HOSTS.iter().copied().find(|host| line.contains(host)))
}

fn no_machine_paths(tree: &Tree) -> Vec<Finding> {
    let absolute = |line: &str, path: &str| {
        let mut places = line.match_indices(path).map(|(at, _)| &line[..at]);
        places.any(|before| !before.ends_with(|last: char| last.is_alphanumeric() || "._-~}".contains(last)))
    };
    lines(tree, |line| MACHINE_PATHS.iter().copied().find(|path| absolute(line, path)))
}

/// Returns a finding for each line of each text in which `find` matches.
fn lines(tree: &Tree, find: impl Fn(&str) -> Option<&'static str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.texts() {
        for (index, line) in file.text.lines().enumerate() {
            if let Some(found) = find(line) {
                findings.push(file.on_line(index + 1, format!("`{found}`")));
            }
        }
    }
    findings
}

fn links_lead_somewhere(tree: &Tree) -> Vec<Finding> {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for file in &tree.files {
        let folders = file.path.match_indices('/').map(|(at, _)| file.path[..at].to_owned());
        known.extend(folders.chain([file.path.clone(), String::new()]));
    }
    let mut findings = Vec::new();
    for page in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        for (line, target) in links(page) {
            let path = target.split('#').next().unwrap_or_default();
            let outside = target.contains("://") || target.starts_with("mailto:") || path.is_empty();
            if !outside && !resolve(&page.path, path).is_some_and(|path| known.contains(&path)) {
                findings.push(page.on_line(line, format!("`{target}` is not there")));
            }
        }
    }
    findings
}

/// Returns the targets of a page's links outside code.
fn links(page: &File) -> Vec<(usize, String)> {
    let (mut fenced, mut found) = (false, Vec::new());
    for (index, line) in page.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect();
        let inline = prose.match_indices("](").map(|(at, _)| prose[at + 2..].split([')', ' ']).next());
        let reference = prose.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target);
        let targets = inline.flatten().chain(reference);
        found.extend(targets.map(|target| (index + 1, target.trim().to_owned())));
    }
    found
}

/// Resolves `path` relative to the page, or returns `None` if it leaves the repository.
fn resolve(page: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
