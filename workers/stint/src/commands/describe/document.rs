//! Writes the settings as files: a documentation page, and a file of environment variables.

use std::fmt::Write;

use super::settings::{Section, Setting};
use crate::shell::quoted;

const MARKDOWN_HEAD: &str = "\
# Configuration

<!-- Made by `stint describe --settings markdown` with every feature; change the text in the config structs, not here. -->

Every setting is an environment variable, and a flag of the commands that take it. A flag overrides its variable, and a
variable the default. An invalid setting is an error at the start that names it. Give secrets as variables, because flags
are visible in the list of processes.
";

const ENV_HEAD: &str = "\
# Settings of Stint. Made by `stint describe --settings env` with every feature: change the text in the config structs, not here.
# Commented lines show the default, or an example. Copy this file to .env, and load it with:
#   set -a; . ./.env; set +a
";

/// Returns the text of `docs/configuration.md`.
pub(super) fn markdown(sections: &[Section]) -> String {
    let mut text = MARKDOWN_HEAD.to_owned();
    for section in sections {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n## {}\n\n| variable | flag | default | meaning |\n|---|---|---|---|", section.title);
        for setting in &section.settings {
            let default = setting.default.as_ref().map_or_else(|| "none".to_owned(), |default| format!("`{default}`"));
            let Setting { variable, flag, .. } = setting;
            let _ = writeln!(text, "| `{variable}` | `{flag}` | {default} | {} |", table_cell(setting));
        }
    }
    text
}

/// Returns the text of `.env.example`.
pub(super) fn env(sections: &[Section]) -> String {
    let mut text = ENV_HEAD.to_owned();
    for section in sections {
        let _ = write!(text, "\n# {}\n", section.title);
        for setting in &section.settings {
            let _ = write!(text, "\n{}", comment(&setting.help));
            for value in &setting.values {
                let _ = write!(text, "{}", comment(&format!("{}: {}", value.value, value.help)));
            }
            let secret = match (setting.secret, setting.address) {
                (true, false) => "# A secret: never commit it.\n",
                (true, true) => "# A secret if it has a user or password in it: then never commit it.\n",
                (false, _) => "",
            };
            let default =
                setting.default.as_deref().filter(|default| !default.is_empty()).map(quoted).unwrap_or_default();
            let _ = writeln!(text, "{secret}# {}={default}", setting.variable);
        }
    }
    text
}

/// Returns `text` up to and including its first full stop.
pub(super) fn first_sentence(text: &str) -> String {
    let end = [". ", ": ", "; "].iter().filter_map(|mark| text.find(mark)).min();
    end.map_or(text, |end| &text[..end]).trim_end_matches('.').to_owned()
}

fn table_cell(setting: &Setting) -> String {
    let mut text = setting.help.replace('\n', " ").replace('|', "\\|");
    for value in &setting.values {
        let _ = write!(text, "<br>`{}`: {}", value.value, value.help);
    }
    match (setting.secret, setting.address) {
        (true, false) => text.push_str(" **Secret.**"),
        (true, true) => text.push_str(" **Secret** with a user or password in it."),
        (false, _) => {}
    }
    text
}

/// Comment lines are wrapped at this many characters.
const WIDTH: usize = 110;

fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    lines + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_wrapped_at_words() {
        let text = comment(&"word ".repeat(40));
        assert!(text.lines().all(|line| line.starts_with("# word") && line.len() <= WIDTH));
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn the_first_sentence_is_short() {
        assert_eq!(first_sentence("Where they go: there. Or not."), "Where they go");
        assert_eq!(first_sentence("Just one."), "Just one");
    }
}
