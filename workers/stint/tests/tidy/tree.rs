//! The files that the rules look at: what git tracks, and what it would take up with the next `git add`.

use std::path::Path;
use std::process::Command;

use crate::source::Source;

/// A file of the repository, its path as git writes it.
pub struct File {
    pub path: String,
    pub text: String,
    pub source: Source,
}

/// All files of a repository, or the few of an example.
pub struct Tree {
    pub files: Vec<File>,
}

/// A broken rule: what, and where. Line 0 stands for the whole file.
#[derive(Debug)]
pub struct Finding {
    pub path: String,
    pub line: usize,
    pub what: String,
}

/// A rule of the house, with examples that prove that it can fail and that it can pass.
pub struct Rule {
    pub name: &'static str,
    pub remedy: &'static str,
    pub check: fn(&Tree) -> Vec<Finding>,
    /// Repositories of a few files, each with exactly one finding.
    pub bad: &'static [&'static [(&'static str, &'static str)]],
    /// Repositories without one.
    pub good: &'static [&'static [(&'static str, &'static str)]],
}

impl Tree {
    /// The repository at `root`. A file that is no text is left out.
    pub fn read(root: &Path) -> Self {
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

    pub fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| File::new(path, text)).collect() }
    }

    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// The manifests of the workspace's members.
    pub fn manifests(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with("/Cargo.toml"))
    }

    /// The files whose every word counts: all but the lock file, and these rules with their bad examples.
    pub fn texts(&self) -> impl Iterator<Item = &File> {
        let ours = |file: &&File| !file.path.starts_with("workers/stint/tests/tidy") && file.path != "Cargo.lock";
        self.files.iter().filter(ours)
    }
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        let source = if path.ends_with(".rs") { Source::parse(text) } else { Source::default() };
        Self { path: path.to_owned(), text: text.to_owned(), source }
    }

    /// The file's last name.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The member of the workspace that the file belongs to, as `("workers", "stint")`.
    pub fn member(&self) -> (&str, &str) {
        let mut parts = self.path.split('/');
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    }

    /// Whether the file belongs to a fleet: a member under `workers/` that is not the binary.
    pub fn is_fleet(&self) -> bool {
        matches!(self.member(), ("workers", member) if member != "stint")
    }

    /// Whether all of the file serves tests, examples or measurements only.
    pub fn is_test(&self) -> bool {
        let folder = |name: &str| self.path.contains(name);
        folder("/tests/")
            || folder("/benches/")
            || folder("/examples/")
            || self.name() == "tests.rs"
            || self.path.starts_with("shared/testkit/")
    }

    /// Whether this offset of the file's code serves tests only.
    pub fn is_test_at(&self, offset: usize) -> bool {
        self.is_test() || self.source.is_test(offset)
    }

    pub fn at(&self, offset: usize, what: impl Into<String>) -> Finding {
        self.on_line(self.source.line(offset), what)
    }

    pub fn on_line(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, what: what.into() }
    }
}
