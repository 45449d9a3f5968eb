//! Runs `stint` in isolation: with an empty home folder, and an environment without settings.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The program with its own home folder.
pub(crate) struct Program {
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new() -> Program {
        Program { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    /// Returns `STINT_HOME`. It does not exist before a command creates it.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Returns a file beside the home folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let file = self.file(name);
        std::fs::write(&file, content).unwrap();
        file
    }

    pub(crate) fn with(mut self, variable: &'static str, value: &str) -> Program {
        self.environment.push((variable, value.to_owned()));
        self
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "")
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stint"));
        // Nothing of the tests' own environment is passed on.
        command.env_clear();
        command.env("STINT_HOME", self.home()).env("TZ", "UTC").envs(self.environment.iter().cloned());
        command.args(arguments).current_dir(self.folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A program that fails at once does not read its input.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that must succeed. Returns its output.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        assert_eq!(ran.stderr, "", "{arguments:?}");
        ran.stdout
    }

    /// Runs a command with `--json`. Returns the object that must be the only output on stdout.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let printed = self.succeed(&[arguments, &["--json"]].concat());
        let value: Value = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error} in {printed}"));
        assert!(value.is_object(), "{printed}");
        value
    }

    /// Runs a command that must fail with exit code 1. Returns its only error line.
    pub(crate) fn fail(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 1, "{arguments:?}: {ran:?}");
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(ran.stderr.contains("error: "), "{arguments:?}: {}", ran.stderr);
        self.redact(&ran.stderr)
    }

    /// Replaces what differs from run to run: folders, ids, times, and the spaces that depend on their width.
    pub(crate) fn redact(&self, text: &str) -> String {
        let folder = self.folder.path().canonicalize().unwrap();
        let mut text = text.replace(&*folder.to_string_lossy(), "[folder]");
        text = text.replace(&*self.folder.path().to_string_lossy(), "[folder]");
        let mut lines = String::new();
        for line in text.lines() {
            let indentation = line.len() - line.trim_start().len();
            let words = line.split("  ").map(str::trim).filter(|words| !words.is_empty());
            lines.push_str(&" ".repeat(indentation));
            lines.push_str(&words.collect::<Vec<_>>().join("  "));
            lines.push('\n');
        }
        lines
    }
}

/// The filters of every snapshot.
pub(crate) fn filters() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.add_filter(r"[0-9a-f]{24}", "[id]");
    settings.add_filter(r"([A-Z][a-z]{2} \d{1,2} |\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d", "[time]");
    settings.add_filter(r"\(in [^)]*\)", "(in …)");
    settings.add_filter(r"\([^()]* ago\)", "(… ago)");
    settings.bind_to_scope()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
