//! The files that the rules look at: what git tracks, and what it would take up with the next `git add`.

use std::path::Path;
use std::process::Command;

use crate::source::Source;

/// A file of the repository, its path as git writes it.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) source: Source,
}

/// All files of a repository, or the few of an example.
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

/// A broken rule: what, and where. Line 0 stands for the whole file.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// A rule of the house, with examples that prove that it can fail and that it can pass.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) remedy: &'static str,
    pub(crate) check: fn(&Tree) -> Vec<Finding>,
    /// Repositories of a few files, each with exactly one finding.
    pub(crate) bad: &'static [&'static [(&'static str, &'static str)]],
    /// Repositories without one.
    pub(crate) good: &'static [&'static [(&'static str, &'static str)]],
}

impl Tree {
    /// The repository at `root`. A file that is no text is left out.
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

    /// The manifests of the workspace's members.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with("/Cargo.toml"))
    }

    /// The files whose every word counts: all but the lock file, and these rules with their bad examples.
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

    /// The file's last name.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The member of the workspace that the file belongs to, as `("workers", "stint")`.
    pub(crate) fn member(&self) -> (&str, &str) {
        let mut parts = self.path.split('/');
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    }

    /// Whether the file belongs to a fleet: a member under `workers/` that is not the binary.
    pub(crate) fn is_fleet(&self) -> bool {
        matches!(self.member(), ("workers", member) if member != "stint")
    }

    /// Whether all of the file serves tests, examples or measurements only.
    pub(crate) fn is_test(&self) -> bool {
        let folder = |name: &str| self.path.contains(name);
        folder("/tests/")
            || folder("/benches/")
            || folder("/examples/")
            || self.name() == "tests.rs"
            || self.path.starts_with("shared/testkit/")
            || self.path.starts_with("shared/fuzz/")
    }

    /// Whether this offset of the file's code serves tests only.
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
