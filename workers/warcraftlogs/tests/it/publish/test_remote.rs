//! A remote, folders of addons to publish into it, and the state after publishing.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use stint_host::SystemClock;
use stint_warcraftlogs::model::Player;
use stint_warcraftlogs::publish::{
    Git, GitSettings, Publication, PublishError, Published, Publisher, create_repository,
};

use super::http::{Reply, Server};
use super::shallow::feed;
use crate::lua::players::{generate, plain};

/// The token that lets a publisher write.
pub(super) const TOKEN: &str = "hunter2";
/// `x-access-token:hunter2` in base64.
pub(super) const TOKEN_AS_SENT: &str = "Basic eC1hY2Nlc3MtdG9rZW46aHVudGVyMg==";

/// A bare repository, and publishers' state folders.
pub(super) struct TestRemote {
    root: tempfile::TempDir,
    /// How publishers reach the repository.
    url: String,
}

/// A player with this region and name, with ranks of this day in November 2026.
pub(super) fn player(region: &str, name: &str, day: u32) -> Player {
    Player { updated_at: format!("2026-11-{day}T10:00:00Z").parse().unwrap(), ..plain(region, "Area 52", name) }
}

impl TestRemote {
    /// Reached by its path.
    pub(super) fn local() -> TestRemote {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("remote.git");
        create_repository(&path).unwrap();
        TestRemote { url: path.to_str().unwrap().to_owned(), root }
    }

    /// Reached through `git daemon`, a process for each connection.
    pub(super) fn served() -> TestRemote {
        let test_remote = TestRemote::local();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, folder) = (listener.local_addr().unwrap().port(), test_remote.root.path().to_owned());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let connection = connection.unwrap();
                let input = Stdio::from(OwnedFd::from(connection.try_clone().unwrap()));
                let mut daemon = Command::new("git");
                daemon.args(["daemon", "--inetd", "--export-all", "--enable=receive-pack"]);
                daemon.arg(format!("--base-path={}", folder.display())).stderr(Stdio::null());
                let started = daemon.stdin(input).stdout(OwnedFd::from(connection)).spawn();
                started.expect("git is missing: run scripts/test, or apt-get install git").wait().ok();
            }
        });
        TestRemote { url: format!("git://127.0.0.1:{port}/remote.git"), ..test_remote }
    }

    /// Reached through git's HTTP server, which requires a user and token for writing.
    pub(super) fn over_http() -> TestRemote {
        let test_remote = TestRemote::local();
        let server = Server::start(test_remote.root.path(), |request| {
            let writes = request.path.ends_with("git-receive-pack") || request.asks_to_write();
            match writes && request.authorization.as_deref() != Some(TOKEN_AS_SENT) {
                true => Reply::Head("401 Unauthorized\r\nwww-authenticate: Basic realm=\"git\"".to_owned()),
                false => Reply::Git,
            }
        });
        TestRemote { url: format!("http://127.0.0.1:{}/remote.git", server.port), ..test_remote }
    }

    /// Reached over SSH, by a stand-in for `ssh` that runs the server's command on this machine.
    pub(super) fn over_ssh() -> TestRemote {
        let test_remote = TestRemote::local();
        TestRemote {
            url: format!("ssh://git@remote.invalid{}", test_remote.path("remote.git").display()),
            ..test_remote
        }
    }

    /// Both kinds: what is true for one must be true for the other.
    pub(super) fn both() -> [TestRemote; 2] {
        [TestRemote::local(), TestRemote::served()]
    }

    /// Every kind with a server.
    pub(super) fn all() -> [TestRemote; 4] {
        [TestRemote::local(), TestRemote::served(), TestRemote::over_http(), TestRemote::over_ssh()]
    }

    /// The kinds that are reached over a network.
    pub(super) fn remote() -> [TestRemote; 3] {
        [TestRemote::served(), TestRemote::over_http(), TestRemote::over_ssh()]
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A publisher's settings; its state is in a folder of this name.
    pub(super) fn settings(&self, state: &str) -> GitSettings {
        let clock = Arc::new(SystemClock);
        let ssh_program = shell("eval \"$last\"");
        GitSettings { token: Some(TOKEN.into()), ssh_program, ..GitSettings::new(&self.url, self.path(state), clock) }
    }

    /// Generates these players into an empty folder, and returns the folder.
    pub(super) fn generate(&self, name: &str, players: &[Player]) -> PathBuf {
        let folder = self.path(name);
        std::fs::remove_dir_all(&folder).ok();
        assert_eq!(generate(&folder, players).refused, []);
        folder
    }

    /// Runs git in the remote and returns its output.
    pub(super) fn git(&self, arguments: &[&str]) -> String {
        run_git(&self.path("remote.git"), arguments)
    }

    /// Runs git in the remote with an input, and returns its output.
    pub(super) fn feed(&self, arguments: &[&str], input: &[u8]) -> String {
        feed(&self.path("remote.git"), arguments, input)
    }

    /// Commits files to the branch as another user with a clone would: an empty text removes the file.
    pub(super) fn commit(&self, branch: &str, files: &[(&str, &str)]) {
        let clone = self.path("another user's clone");
        std::fs::remove_dir_all(&clone).ok();
        run_git(self.root.path(), &["clone", "-q", "remote.git", clone.to_str().unwrap()]);
        if self.git(&["branch", "--list", branch]).is_empty() {
            run_git(&clone, &["checkout", "-q", "--orphan", branch]);
        } else {
            run_git(&clone, &["checkout", "-q", branch]);
        }
        for (name, text) in files {
            std::fs::create_dir_all(clone.join(name).parent().unwrap()).unwrap();
            std::fs::write(clone.join(name), text).unwrap();
        }
        run_git(&clone, &["add", "--all"]);
        let author = ["-c", "user.name=Another User", "-c", "user.email=another@localhost"];
        run_git(&clone, &[&author[..], &["commit", "-q", "-m", "Edit by hand"]].concat());
        run_git(&clone, &["push", "-q", "origin", &format!("HEAD:{branch}")]);
    }

    /// The files of a branch, with their texts.
    pub(super) fn files(&self, branch: &str) -> BTreeMap<String, String> {
        let names = self.git(&["-c", "core.quotePath=false", "ls-tree", "-r", "--name-only", branch]);
        names.lines().map(|name| (name.to_owned(), self.git(&["show", &format!("{branch}:{name}")]))).collect()
    }

    /// Number of commits on a branch.
    pub(super) fn commits(&self, branch: &str) -> usize {
        self.git(&["rev-list", "--count", branch]).trim().parse().unwrap()
    }

    /// The version of an addon on the branch `main`.
    pub(super) fn version(&self, addon: &str) -> String {
        version_in(&self.git(&["show", &format!("main:{addon}/{addon}.toc")]))
    }

    pub(super) fn tags(&self) -> Vec<String> {
        self.git(&["tag", "--list"]).lines().map(str::to_owned).collect()
    }
}

/// A stand-in for `ssh`: a script in which `$last` is the command for the server.
pub(super) fn shell(script: &str) -> Vec<String> {
    let script = format!("for last; do :; done; {script}");
    ["bash", "-c", &script, "ssh"].map(str::to_owned).to_vec()
}

/// The version in a table of contents.
pub(super) fn version_in(toc: &str) -> String {
    toc.lines().find_map(|line| line.strip_prefix("## Version: ")).unwrap().to_owned()
}

fn run_git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output();
    let output = output.expect("git is missing: run scripts/test, or apt-get install git");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Publishes, and returns the pushed publication.
pub(super) async fn push(git: &Git, folder: &Path) -> Publication {
    match git.publish(folder).await.unwrap() {
        Published::Pushed(publication) => publication,
        other => panic!("nothing was pushed: {other:?}"),
    }
}

/// Publishes from a thread that already blocks, as another publisher.
pub(super) fn push_meanwhile(git: Git, folder: PathBuf) -> Result<Published, PublishError> {
    let publish = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(git.publish(&folder))
    };
    std::thread::spawn(publish).join().unwrap()
}
