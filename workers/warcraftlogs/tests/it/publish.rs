//! Publishing into folders and real git repositories.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use git2::Repository;
use stint_warcraftlogs::publish::{Git, GitSettings, Published, Publisher, Step};

/// A bare repository, a folder of files to publish, and a state folder.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let root = tempfile::tempdir().unwrap();
        Repository::init_bare(root.path().join("remote.git")).unwrap();
        std::fs::create_dir(root.path().join("fresh")).unwrap();
        Place { root }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.root.path().join(name)
    }

    fn settings(&self, state: &str) -> GitSettings {
        GitSettings::new(self.path("remote.git").to_str().unwrap(), self.path(state))
    }

    /// Replaces the fresh files.
    fn write(&self, folder: &str, files: &[(&str, &str)]) {
        std::fs::remove_dir_all(self.path(folder)).ok();
        std::fs::create_dir(self.path(folder)).unwrap();
        files.iter().for_each(|(name, text)| std::fs::write(self.path(folder).join(name), text).unwrap());
    }

    /// What the branch holds, and how many commits led there.
    fn branch(&self, branch: &str) -> (BTreeMap<String, String>, usize) {
        let remote = Repository::open_bare(self.path("remote.git")).unwrap();
        let head = remote.find_branch(branch, git2::BranchType::Local).unwrap().get().peel_to_commit().unwrap();
        let mut files = BTreeMap::new();
        let walk = |folder: &str, entry: &git2::TreeEntry<'_>| {
            if let Ok(blob) = entry.to_object(&remote).unwrap().into_blob() {
                let text = String::from_utf8_lossy(blob.content()).into_owned();
                files.insert(format!("{folder}{}", entry.name().unwrap()), text);
            }
            git2::TreeWalkResult::Ok
        };
        head.tree().unwrap().walk(git2::TreeWalkMode::PreOrder, walk).unwrap();
        let mut commits = remote.revwalk().unwrap();
        commits.push(head.id()).unwrap();
        (files, commits.count())
    }
}

fn files(expected: &[(&str, &str)]) -> BTreeMap<String, String> {
    expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn attempts(published: &Published) -> u32 {
    match published {
        Published::Pushed { attempts, .. } => *attempts,
        Published::Unchanged => panic!("nothing was pushed"),
    }
}

#[tokio::test]
async fn an_empty_remote_gets_its_first_commit_and_no_second_one_without_a_change() {
    let place = Place::new();
    place.write("fresh", &[("a.lua", "one")]);
    let git = Git::new(GitSettings { folder: "/db/".to_owned(), ..place.settings("state") });
    assert_eq!(attempts(&git.publish(&place.path("fresh"), "first").await.unwrap()), 1);
    assert_eq!(git.publish(&place.path("fresh"), "second").await.unwrap(), Published::Unchanged);
    assert_eq!(place.branch("main"), (files(&[("db/a.lua", "one")]), 1));
    place.write("fresh", &[("a.lua", "two")]);
    git.publish(&place.path("fresh"), "third").await.unwrap();
    assert_eq!(place.branch("main"), (files(&[("db/a.lua", "two")]), 2));
    let head = Repository::open_bare(place.path("remote.git")).unwrap();
    let head = head.find_reference("refs/heads/main").unwrap().peel_to_commit().unwrap();
    assert_eq!((head.message().unwrap(), head.author().name().unwrap().to_owned()), ("third", "Stint".to_owned()));
}

#[tokio::test]
async fn a_missing_branch_is_created_and_other_files_of_a_branch_stay() {
    let place = Place::new();
    place.write("fresh", &[("a.lua", "one")]);
    let url = format!("file://{}", place.path("remote.git").display());
    let main = GitSettings { url, ..place.settings("state") };
    Git::new(main.clone()).publish(&place.path("fresh"), "a").await.unwrap();
    place.write("fresh", &[("b.lua", "two")]);
    Git::new(main.clone()).publish(&place.path("fresh"), "b").await.unwrap();
    Git::new(GitSettings { branch: "data/eu".to_owned(), ..main }).publish(&place.path("fresh"), "c").await.unwrap();
    assert_eq!(place.branch("main"), (files(&[("a.lua", "one"), ("b.lua", "two")]), 2));
    assert_eq!(place.branch("data/eu"), (files(&[("b.lua", "two")]), 1));
}

/// A publisher that, before each push that `lands` allows, sees another publisher's commit land.
fn overtaken(place: &Arc<Place>, lands: u32) -> Git {
    let (other, shared) = (Arc::clone(place), Mutex::new(0));
    Git::with_progress(place.settings("state"), move |step| {
        let Step::Push(attempt) = step else { return };
        let mut landed = shared.lock().unwrap();
        if attempt <= lands {
            *landed += 1;
            other.write("theirs", &[("theirs.lua", &format!("theirs {landed}"))]);
            publish_now(&Git::new(other.settings("other state")), &other.path("theirs"));
        }
    })
}

/// Publishes from a thread that already blocks.
fn publish_now(git: &Git, folder: &Path) {
    let (git, folder) = (git.clone(), folder.to_owned());
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(git.publish(&folder, "theirs")).unwrap();
    });
    thread.join().unwrap();
}

#[tokio::test]
async fn a_push_that_is_overtaken_is_made_again_on_top() {
    for lands in [1, 4] {
        let place = Arc::new(Place::new());
        place.write("fresh", &[("ours.lua", "ours")]);
        let published = overtaken(&place, lands).publish(&place.path("fresh"), "ours").await.unwrap();
        assert_eq!(attempts(&published), lands + 1);
        let theirs = format!("theirs {lands}");
        let expected = files(&[("ours.lua", "ours"), ("theirs.lua", &theirs)]);
        assert_eq!(place.branch("main"), (expected, lands as usize + 1));
    }
}

#[tokio::test]
async fn a_push_that_is_always_overtaken_ends_with_an_error_and_loses_nothing() {
    let place = Arc::new(Place::new());
    place.write("fresh", &[("ours.lua", "ours")]);
    let error = overtaken(&place, 9).publish(&place.path("fresh"), "ours").await.unwrap_err().to_string();
    assert!(error.contains("5 attempts were overtaken") && error.contains("branch 'main'"), "{error}");
    assert_eq!(place.branch("main"), (files(&[("theirs.lua", "theirs 5")]), 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn publishers_at_the_same_time_all_land() {
    let place = Arc::new(Place::new());
    let tasks = (0..4).map(|number| {
        let place = Arc::clone(&place);
        tokio::spawn(async move {
            let (fresh, name) = (format!("fresh {number}"), format!("{number}.lua"));
            place.write(&fresh, &[(&name, "x")]);
            let settings = GitSettings { attempts: 100, ..place.settings(&format!("state {number}")) };
            Git::new(settings).publish(&place.path(&fresh), "one of four").await.unwrap()
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(place.branch("main").1, 4);
    assert_eq!(place.branch("main").0.len(), 4);
}

#[tokio::test]
async fn a_dirty_or_half_made_clone_is_no_obstacle() {
    let damages: [fn(&Path); 6] = [
        |clone| std::fs::write(clone.join("HEAD"), "nonsense").unwrap(),
        |clone| std::fs::remove_file(clone.join("HEAD")).unwrap(),
        |clone| std::fs::write(clone.join("refs/stint/outgoing.lock"), "").unwrap(),
        |clone| std::fs::write(clone.join("refs/stint/fetched"), "1".repeat(40)).unwrap(),
        |clone| std::fs::remove_dir_all(clone.join("objects")).unwrap(),
        |clone| {
            std::fs::remove_dir_all(clone).unwrap();
            std::fs::write(clone, "a file").unwrap();
        },
    ];
    for (number, damage) in damages.iter().enumerate() {
        let place = Place::new();
        let git = Git::new(place.settings("state"));
        for text in ["one", "two"] {
            place.write("fresh", &[("a.lua", text)]);
            git.publish(&place.path("fresh"), "before").await.unwrap();
        }
        damage(&place.path("state/publish.git"));
        place.write("fresh", &[("a.lua", "three")]);
        git.publish(&place.path("fresh"), "after").await.unwrap_or_else(|error| panic!("damage {number}: {error}"));
        assert_eq!(place.branch("main"), (files(&[("a.lua", "three")]), 3), "damage {number}");
    }
}

#[tokio::test]
async fn errors_name_the_remote_and_the_remedy_and_no_secret() {
    let place = Place::new();
    place.write("fresh", &[("a.lua", "one")]);
    // Nothing listens on this port.
    let url = "https://bot:hunter2@127.0.0.1:1/a.git".to_owned();
    let settings = GitSettings { url, ..place.settings("state") };
    assert!(!format!("{settings:?}").contains("hunter2"));
    let error = Git::new(settings).publish(&place.path("fresh"), "a").await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("cannot fetch from https://***@127.0.0.1:1/a.git"), "{text}");
    assert!(
        text.contains("see that the address is right") && !text.contains("hunter2") && !text.contains("bot"),
        "{text}"
    );
    let absent = GitSettings { url: place.path("absent.git").to_str().unwrap().to_owned(), ..place.settings("state") };
    let error = Git::new(absent).publish(&place.path("fresh"), "a").await.unwrap_err().to_string();
    assert!(error.contains("absent.git"), "{error}");
    let error = Git::new(place.settings("state")).publish(&place.path("state"), "a").await.unwrap_err().to_string();
    assert!(error.contains("nothing to publish in") && error.contains("generate the databases"), "{error}");
}
