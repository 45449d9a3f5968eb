//! A branch with a long history, and a clone that must stay small.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use stint_warcraftlogs::publish::{Git, GitSettings, History, PublishStep, Published, Publisher};

use super::test_remote::{TestRemote, player, push};

/// The number of publications in more than half a year.
const DAYS: usize = 200;
/// The size of each of their databases; their contents cannot be compressed, and do not repeat.
const BYTES: usize = 40_000;

/// A branch on which a database was published each day, without a tag for the last one.
fn long_history(test_remote: &TestRemote) {
    let mut stream = Vec::new();
    let mut state = 1_u64;
    for day in 1..=DAYS {
        let version = format!("2025.01.01-{day}");
        let message = format!("databases {version}\n\nStint-Version: {version}\n");
        let toc = format!("## Version: {version}\n\nStint_US.lua\n");
        let noise: Vec<u8> = (0..BYTES)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as u8
            })
            .collect();
        let mut text = String::new();
        write!(text, "commit refs/heads/main\ncommitter Stint <stint@localhost> {} +0000\n", 1_735_700_000 + day)
            .unwrap();
        write!(text, "data {}\n{message}\n", message.len()).unwrap();
        write!(text, "M 644 inline Stint_US/Stint_US.toc\ndata {}\n{toc}\n", toc.len()).unwrap();
        write!(text, "M 644 inline Stint_US/Stint_US.lua\ndata {BYTES}\n").unwrap();
        stream.extend(text.into_bytes());
        stream.extend(noise);
        stream.push(b'\n');
    }
    test_remote.feed(&["fast-import", "--quiet"], &stream);
    test_remote.git(&["tag", &format!("v2025.01.01-{}", DAYS - 1), "main~1"]);
}

/// The bytes and the number of objects of a clone, as git counts them.
fn clone_size(test_remote: &TestRemote, state: &str) -> (u64, u64) {
    let clone = test_remote.path(state).join("publish.git");
    let counted = Command::new("git").arg("-C").arg(&clone).args(["count-objects", "-v"]).output().unwrap();
    let counted = String::from_utf8(counted.stdout).unwrap();
    let of = |name: &str| {
        let line = counted.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap();
        line.parse::<u64>().unwrap()
    };
    ((of("size") + of("size-pack")) * 1024, of("count") + of("in-pack"))
}

#[tokio::test]
async fn a_long_history_stays_at_the_remote() {
    for test_remote in TestRemote::all() {
        long_history(&test_remote);
        for (name, number) in [("Ann", 1), ("Bea", 2), ("Cid", 3)] {
            // The first and the last one have none of the branch's objects yet.
            let state = if number == 3 { "another state" } else { "state" };
            let publication =
                push(&Git::new(test_remote.settings(state)), &test_remote.generate("fresh", &[player("EU", name, 20)]))
                    .await;
            assert_eq!(publication.version, format!("2026.11.20-{number}"));
            assert_eq!(test_remote.commits("main"), DAYS + number);
            let (bytes, objects) = clone_size(&test_remote, state);
            assert!(bytes < 6 * BYTES as u64 && objects < 60, "{bytes} bytes, {objects} objects");
        }
        test_remote.git(&["fsck", "--strict"]);
        // The publication without a tag has it now, and the comparison with the previous one works.
        assert!(test_remote.tags().contains(&format!("v2025.01.01-{DAYS}")), "{:?}", test_remote.tags());
        let Published::Planned(planned) = Git::new(test_remote.settings("third"))
            .plan(&test_remote.generate("fresh", &[player("EU", "Dag", 20)]))
            .await
            .unwrap()
        else {
            panic!("nothing is planned")
        };
        assert!(planned.message.contains("1 added, 1 removed, 0 changed"), "{}", planned.message);
    }
}

#[tokio::test]
async fn a_clone_of_an_earlier_version_is_taken_over() {
    for test_remote in TestRemote::all() {
        long_history(&test_remote);
        let clone = test_remote.path("state/publish.git");
        fs::create_dir_all(clone.parent().unwrap()).unwrap();
        test_remote.git(&["clone", "-q", "--bare", ".", clone.to_str().unwrap()]);
        test_remote.commit("main", &[("README.md", "theirs\n")]);
        for (name, number) in [("Ann", 1), ("Bea", 2)] {
            let git = Git::new(test_remote.settings("state"));
            push(&git, &test_remote.generate("fresh", &[player("EU", name, 20)])).await;
            assert_eq!(test_remote.commits("main"), DAYS + 1 + number);
        }
        test_remote.git(&["fsck", "--strict"]);
    }
}

#[tokio::test]
async fn a_tag_is_made_up_for_although_others_have_committed_since() {
    for test_remote in TestRemote::all() {
        let killed = Git::with_progress(test_remote.settings("state"), |step| {
            assert!(!matches!(step, PublishStep::Tag(_)), "the process ends here");
        });
        killed.publish(&test_remote.generate("fresh", &[player("EU", "Ann", 20)])).await.unwrap_err();
        let published = test_remote.git(&["rev-parse", "main"]);
        for number in 0..6 {
            test_remote.commit("main", &[("README.md", &format!("edit {number}\n"))]);
        }
        push(&Git::new(test_remote.settings("new state")), &test_remote.generate("fresh", &[player("EU", "Bea", 20)]))
            .await;
        assert_eq!(test_remote.tags(), ["v2026.11.20-1", "v2026.11.20-2"]);
        assert_eq!(test_remote.git(&["rev-parse", "v2026.11.20-1"]), published);
    }
}

#[tokio::test]
async fn a_history_is_looked_through_before_it_is_dropped() {
    for foreign in [false, true] {
        for test_remote in TestRemote::all() {
            if foreign {
                test_remote.commit("main", &[("README.md", "precious\n")]);
            }
            for name in ["Ann", "Bea", "Cid"] {
                push(
                    &Git::new(test_remote.settings("state")),
                    &test_remote.generate("fresh", &[player("EU", name, 20)]),
                )
                .await;
            }
            let settings = GitSettings { history: History::Latest, ..test_remote.settings("new state") };
            let folder = test_remote.generate("fresh", &[player("EU", "Dag", 20)]);
            let published = Git::new(settings).publish(&folder).await;
            if foreign {
                let error = published.unwrap_err().to_string();
                assert!(error.contains("\"Edit by hand\"") && test_remote.commits("main") == 4, "{error}");
            } else {
                let Ok(Published::Pushed(publication)) = published else { panic!("{published:?}") };
                assert_eq!((publication.replaced, test_remote.commits("main")), (3, 1));
            }
        }
    }
}

/// Runs git with an input.
pub(super) fn feed(folder: &Path, arguments: &[&str], input: &[u8]) -> String {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut git = git.spawn().expect("git is missing: run scripts/test, or apt-get install git");
    std::io::Write::write_all(&mut git.stdin.take().unwrap(), input).unwrap();
    let output = git.wait_with_output().unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}
