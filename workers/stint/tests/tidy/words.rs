//! Rules about plain English in comments and on pages: words that make a reader stop, with the plain ones.
//! `docs/contributing.md` has further examples.

use crate::tree::{File, Finding, Rule, Tree};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "functions-return",
        remedy: "say what the function does or returns: `Returns …`",
        check: functions_return,
        bad: &[
            &[("shared/core/src/lib.rs", "/// Answers the keys.\nfn a() {}")],
            &[("shared/core/src/lib.rs", "//! A plan. Answers whether it fits.")],
            &[("docs/a.md", "* Answers the next page")],
        ],
        good: &[
            &[("shared/core/src/lib.rs", "/// Returns the keys.\nfn a() {}\nlet b = \"Answers it\";")],
            &[("shared/core/src/lib.rs", "/// Keeps what the upstream sent. Its\n/// Answers type is private.")],
        ],
    },
    Rule {
        name: "subjects-are-named",
        remedy: "name the subject: the caller, another process, a user, no player",
        check: subjects_are_named,
        bad: &[
            &[("shared/core/src/lib.rs", "// Whoever holds the lease writes.")],
            &[("docs/a.md", "The key is used by somebody else.")],
            &[("scripts/test", "# Nobody reads this.")],
        ],
        good: &[
            &[("shared/core/src/lib.rs", "// The process that holds the lease writes.")],
            &[("docs/a.md", "The log says \"nobody is there\".\n```\nwhoever\n```")],
        ],
    },
    Rule {
        name: "leases-are-held",
        remedy: "a lease is held, and a message is in flight",
        check: leases_are_held,
        bad: &[
            &[("shared/core/src/lib.rs", "//! The message is lent to one receiver.")],
            &[("infra/main.tf", "# Messages on loan count too.")],
        ],
        good: &[
            &[("shared/core/src/lib.rs", "//! One receiver holds a lease on the message.")],
            &[("docs/a.md", "Messages in flight count too; the counter is called `lent`.")],
        ],
    },
    Rule {
        name: "code-is-no-person",
        remedy: "a process exits or crashes, a connection breaks, and a message is dead-lettered",
        check: code_is_no_person,
        bad: &[
            &[("shared/core/src/lib.rs", "// The caller may have died.")],
            &[("docs/a.md", "A message is buried after five receives.")],
        ],
        good: &[&[
            ("shared/core/src/lib.rs", "// The caller may have crashed.\nfn bury() {}"),
            ("docs/a.md", "A message is dead-lettered after five receives."),
        ]],
    },
    Rule {
        name: "sources-are-pages",
        remedy: "link the page that says so, or write `assumed`",
        check: sources_are_pages,
        bad: &[&[("shared/aws/src/queue.rs", "/// The most messages in a batch (from memory).")]],
        good: &[&[
            ("shared/aws/src/queue.rs", "/// The most messages in a batch: <https://docs.aws.amazon.com/a>"),
            ("shared/aws/src/wakeups.rs", "/// How long a name stays reserved: assumed."),
        ]],
    },
];

fn functions_return(tree: &Tree) -> Vec<Finding> {
    each(tree, |line| line.sentences().any(|sentence| sentence.starts_with("Answers ")).then(|| "Answers".to_owned()))
}

fn subjects_are_named(tree: &Tree) -> Vec<Finding> {
    each(tree, |line| line.word(&["whoever", "somebody", "nobody"]))
}

fn leases_are_held(tree: &Tree) -> Vec<Finding> {
    each(tree, |line| line.word(&["loan", "loans", "lend", "lends", "lending", "lent"]))
}

fn code_is_no_person(tree: &Tree) -> Vec<Finding> {
    each(tree, |line| line.word(&["die", "dies", "died", "bury", "buries", "buried"]))
}

fn sources_are_pages(tree: &Tree) -> Vec<Finding> {
    each(tree, |line| line.text.contains("(from memory)").then(|| "(from memory)".to_owned()))
}

/// Returns a finding for each line of prose in which `find` names something.
fn each(tree: &Tree, find: impl Fn(&Line) -> Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.texts() {
        for line in prose(file) {
            findings.extend(find(&line).map(|what| file.on_line(line.number, format!("`{what}`"))));
        }
    }
    findings
}

/// A line of a comment or of a page, without code and quotations.
struct Line {
    number: usize,
    text: String,
    /// Whether the line begins a sentence, rather than continuing the one of the line before.
    begins: bool,
}

impl Line {
    fn sentences(&self) -> impl Iterator<Item = &str> {
        let later = self.text.match_indices(". ").map(|(at, end)| &self.text[at + end.len()..]);
        self.begins.then_some(&*self.text).into_iter().chain(later)
    }

    /// Returns the first of `words` in the line.
    fn word(&self, words: &[&str]) -> Option<String> {
        let mut found = self.text.split(|char: char| !char.is_alphanumeric()).map(str::to_lowercase);
        found.find(|word| words.contains(&&**word))
    }
}

/// Returns the lines of the file's comments; of a page, all lines but its code.
fn prose(file: &File) -> Vec<Line> {
    let (is_page, mut is_code, mut begins) = (file.path.ends_with(".md"), false, true);
    let mut lines = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let line = line.trim();
        if is_page && line.starts_with("```") {
            is_code = !is_code;
        }
        let Some(bare) = (if is_page { (!is_code).then_some(line) } else { comment(file, line) }) else {
            begins = true;
            continue;
        };
        let item = bare.trim_start_matches(['*', '-', '|', ' ']);
        let text = without(&without(item, '`'), '"');
        let ends = text.is_empty() || text.ends_with(['.', ':', '!', '?', '|']);
        lines.push(Line { number: index + 1, begins: begins || item.len() < bare.len(), text });
        begins = ends;
    }
    lines
}

/// Returns the text of a line that is a comment. A comment behind code is not one.
fn comment<'a>(file: &File, line: &'a str) -> Option<&'a str> {
    let mark = match file.name().rsplit_once('.') {
        Some((_, "rs" | "go")) => "//",
        Some((_, "lua")) => "--",
        Some((_, "sh" | "py" | "tf" | "hcl" | "toml" | "yml")) => "#",
        None if file.path.starts_with("scripts/") => "#",
        _ => return None,
    };
    let text = line.strip_prefix(mark)?.trim_start_matches(['/', '!', '#', '-']);
    Some(text.trim_start())
}

/// Returns `text` without what is between each two `quotes`.
fn without(text: &str, quote: char) -> String {
    let parts: Vec<&str> = text.split(quote).collect();
    if parts.len().is_multiple_of(2) {
        return text.to_owned();
    }
    parts.into_iter().step_by(2).collect::<Vec<_>>().join(" ")
}
