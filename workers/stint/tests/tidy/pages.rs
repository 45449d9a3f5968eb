//! Rules about pages that go with code: quotations, and the introduction of each crate.

use crate::tree::{File, Finding, Rule, Tree};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "quotes-are-current",
        remedy: "quote the code as it is now, in a block of ```rust below `<!-- quoted from PATH -->`",
        check: quotes_are_current,
        bad: &[
            &[("docs/a.md", "<!-- quoted from a.rs -->\n```rust\nfn a() {}\n```"), ("a.rs", "fn b() {}")],
            &[("docs/a.md", "<!-- quoted from a.rs -->\n```rust\nfn a() {}\n```")],
            &[("docs/a.md", "<!-- quoted from a.rs -->\nA sentence."), ("a.rs", "A sentence.")],
        ],
        good: &[&[
            ("docs/a.md", "<!-- quoted from a.rs -->\n```rust\nfn a() {\n}\n```\n\n```rust\nnot quoted\n```"),
            ("a.rs", "//! A.\nfn a() {\n}\n"),
        ]],
    },
    Rule {
        name: "crates-introduce-themselves",
        remedy: "add a `description` to the manifest, and a README.md of one paragraph beside it",
        check: crates_introduce_themselves,
        bad: &[
            &[("shared/core/Cargo.toml", "[package]\nname = \"a\"\n"), ("shared/core/README.md", "# a\n\nIt is a.\n")],
            &[("shared/core/Cargo.toml", "[package]\nname = \"a\"\ndescription = \"b\"\n")],
        ],
        good: &[&[
            ("shared/core/Cargo.toml", "[package]\nname = \"a\"\ndescription = \"b\"\n"),
            ("shared/core/README.md", "# a\n\nIt is a.\n"),
        ]],
    },
];

fn quotes_are_current(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        for (line, path, quoted) in quotes(page) {
            let source = tree.files.iter().find(|file| file.path == path);
            if !source.zip(quoted).is_some_and(|(source, quoted)| source.text.contains(&quoted)) {
                findings.push(page.on_line(line, format!("this is not in {path}")));
            }
        }
    }
    findings
}

/// Returns the quotations of a page: the line, the path of the file, and the text if a block follows.
fn quotes(page: &File) -> Vec<(usize, String, Option<String>)> {
    let lines: Vec<&str> = page.text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let path = line.strip_prefix("<!-- quoted from ").and_then(|rest| rest.strip_suffix(" -->"));
        let Some(path) = path else { continue };
        let block = lines[index + 1..].strip_prefix(&["```rust"]);
        let text = block.map(|block| {
            let text = block.iter().take_while(|line| **line != "```").copied();
            text.collect::<Vec<_>>().join("\n") + "\n"
        });
        found.push((index + 1, path.to_owned(), text));
    }
    found
}

fn crates_introduce_themselves(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in tree.manifests() {
        if !manifest.text.contains("\ndescription = \"") {
            findings.push(manifest.on_line(1, "there is no description"));
        }
        let readme = manifest.path.replace("Cargo.toml", "README.md");
        if !tree.files.iter().any(|file| file.path == readme) {
            findings.push(manifest.on_line(1, "there is no README.md"));
        }
    }
    findings
}
