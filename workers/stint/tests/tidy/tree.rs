//! The files that the rules check: those that git tracks, and those that the next `git add` would add.

use std::path::Path;
use std::process::Command;

use crate::source::Source;

/// A file of the repository, with its path as git writes it.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) source: Source,
}

/// All files of a repository, or the few files of an example.
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

/// A violation: what and where. Line 0 stands for the whole file.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// A rule, with examples that prove that it can fail and that it can pass.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) remedy: &'static str,
    pub(crate) check: fn(&Tree) -> Vec<Finding>,
    /// Small repositories with exactly one finding each.
    pub(crate) bad: &'static [&'static [(&'static str, &'static str)]],
    /// Small repositories without a finding.
    pub(crate) good: &'static [&'static [(&'static str, &'static str)]],
}

impl Tree {
    /// Reads the repository at `root`. Files that are not text are skipped.
    pub(crate) fn read(root: &Path) -> Self {
        let list = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .expect("git is installed: it tells which files belong to the repository");
        assert!(list.status.success(), "git ls-files: {}", String::from_utf8_lossy(&list.stderr));
        let list = String::from_utf8(list.stdout).expect("file names are UTF-8");
        let read = |path: &str| Some(File::new(path, &std::fs::read_to_string(root.join(path)).ok()?));
        Self { files: list.split_terminator('\0').filter_map(read).collect() }
    }

    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| File::new(path, text)).collect() }
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// Returns the manifests of the workspace's members.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with("/Cargo.toml"))
    }

    /// Returns the files in which every word counts: all except the lock file and these rules, which contain bad
    /// examples.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &File> {
        let ours = |file: &&File| !file.path.starts_with("workers/stint/tests/tidy") && file.path != "Cargo.lock";
        self.files.iter().filter(ours)
    }
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        let source = if path.ends_with(".rs") { Source::parse(text) } else { Source::default() };
        Self { path: path.to_owned(), text: text.to_owned(), source }
    }

    /// Returns the last component of the path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Returns the workspace member that the file belongs to, as `("workers", "stint")`.
    pub(crate) fn member(&self) -> (&str, &str) {
        let mut parts = self.path.split('/');
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    }

    /// Returns whether the file belongs to a fleet: a member under `workers/` other than the binary.
    pub(crate) fn is_fleet(&self) -> bool {
        matches!(self.member(), ("workers", member) if member != "stint")
    }

    /// Returns whether the whole file is only used by tests, examples or benchmarks.
    pub(crate) fn is_test(&self) -> bool {
        let folder = |name: &str| self.path.contains(name);
        folder("/tests/")
            || folder("/benches/")
            || folder("/examples/")
            || self.name() == "tests.rs"
            || self.path.starts_with("shared/testkit/")
            || self.path.starts_with("shared/fuzz/")
    }

    /// Returns whether this offset in the file's code is only used by tests.
    pub(crate) fn is_test_at(&self, offset: usize) -> bool {
        self.is_test() || self.source.is_test(offset)
    }

    pub(crate) fn at(&self, offset: usize, what: impl Into<String>) -> Finding {
        self.on_line(self.source.line(offset), what)
    }

    pub(crate) fn on_line(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, what: what.into() }
    }
}
