//! Conditions in which a publication succeeds nevertheless, and its errors when it fails.

use std::fs::File;
use std::path::Path;

use stint_warcraftlogs::publish::{Git, GitSettings, MAX_FILE_BYTES, PublishError, PublishStep, Published, Publisher};

use super::test_remote::{TestRemote, player, push};

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
        let test_remote = TestRemote::local();
        let git = Git::new(test_remote.settings("state"));
        for name in ["Ann", "Bea"] {
            push(&git, &test_remote.generate("fresh", &[player("EU", name, 20)])).await;
        }
        damage(&test_remote.path("state/publish.git"));
        let folder = test_remote.generate("fresh", &[player("EU", "Cid", 20)]);
        let published = git.publish(&folder).await.unwrap_or_else(|error| panic!("damage {number}: {error}"));
        assert!(matches!(published, Published::Pushed(_)), "damage {number}: {published:?}");
        assert_eq!(
            (test_remote.commits("main"), test_remote.version("Stint_EU").as_str()),
            (3, "2026.11.20-3"),
            "damage {number}"
        );
        // Earlier databases were written beside the clone for comparison, and are removed again.
        let mut left: Vec<_> =
            test_remote.path("state").read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["publish.git", "publish.lock"], "damage {number}");
    }
}

#[tokio::test]
async fn after_a_kill_at_any_step_the_next_publication_succeeds() {
    for killed_at in [PublishStep::Fetch(1), PublishStep::Commit(1), PublishStep::Push(1), PublishStep::Tag(1)] {
        for test_remote in TestRemote::both() {
            push(&Git::new(test_remote.settings("state")), &test_remote.generate("fresh", &[player("EU", "Ann", 20)]))
                .await;
            let killed = Git::with_progress(test_remote.settings("state"), move |step| {
                assert_ne!(step, killed_at, "it is killed here")
            });
            let folder = test_remote.generate("fresh", &[player("EU", "Bea", 20)]);
            assert!(matches!(killed.publish(&folder).await, Err(PublishError::Stopped(_))), "{killed_at:?}");
            let was_pushed = matches!(killed_at, PublishStep::Tag(_));
            assert_eq!(test_remote.commits("main"), if was_pushed { 2 } else { 1 }, "{killed_at:?}");
            test_remote.git(&["fsck", "--strict"]);
            Git::new(test_remote.settings("state")).publish(&folder).await.unwrap();
            assert_eq!(
                (test_remote.commits("main"), test_remote.version("Stint_EU").as_str()),
                (2, "2026.11.20-2"),
                "{killed_at:?}"
            );
            assert_eq!(test_remote.tags(), ["v2026.11.20-1", "v2026.11.20-2"], "{killed_at:?}");
        }
    }
}

#[tokio::test]
async fn errors_name_the_remote_and_the_remedy_and_no_secret() {
    let test_remote = TestRemote::local();
    let folder = test_remote.generate("fresh", &[player("EU", "Ann", 20)]);
    // No server listens on this port.
    let url = "https://bot:hunter2@127.0.0.1:1/a.git".to_owned();
    let settings = GitSettings { url, ..test_remote.settings("state") };
    assert!(!format!("{settings:?}").contains("hunter2"));
    let error = Git::new(settings).publish(&folder).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("cannot fetch from https://***@127.0.0.1:1/a.git"), "{text}");
    assert!(
        text.contains("see that the address is right") && !text.contains("hunter2") && !text.contains("bot"),
        "{text}"
    );
    let absent = GitSettings {
        url: test_remote.path("absent.git").to_str().unwrap().to_owned(),
        ..test_remote.settings("state")
    };
    let error = Git::new(absent).publish(&folder).await.unwrap_err().to_string();
    assert!(error.contains("absent.git"), "{error}");
}

#[tokio::test]
async fn a_folder_without_addons_or_with_half_of_one_is_said() {
    let test_remote = TestRemote::local();
    let git = Git::new(test_remote.settings("state"));
    std::fs::create_dir_all(test_remote.path("empty")).unwrap();
    let error = git.publish(&test_remote.path("empty")).await.unwrap_err().to_string();
    assert!(error.contains("nothing to publish in") && error.contains("generate the databases"), "{error}");
    let error = git.publish(&test_remote.path("absent")).await.unwrap_err().to_string();
    assert!(error.contains("cannot list the folder") && error.contains("db-generator"), "{error}");
    let folder = test_remote.generate("fresh", &[player("EU", "Ann", 20)]);
    std::fs::remove_file(folder.join("Stint_EU/Stint_EU.lua")).unwrap();
    let error = git.publish(&folder).await.unwrap_err().to_string();
    assert!(error.contains("Stint_EU.toc lists a file that is not there") && error.contains("Stint_EU.lua"), "{error}");
    // Only the core: there is no data yet.
    assert_eq!(git.publish(&test_remote.generate("core", &[])).await.unwrap(), Published::Unchanged);
}

#[tokio::test]
async fn a_file_that_hosts_refuse_is_refused_here_by_name() {
    let test_remote = TestRemote::local();
    let folder = test_remote.generate("fresh", &[player("EU", "Ann", 20)]);
    let database = File::options().write(true).open(folder.join("Stint_EU/Stint_EU.lua")).unwrap();
    database.set_len(MAX_FILE_BYTES + 1).unwrap();
    let error = Git::new(test_remote.settings("state")).publish(&folder).await.unwrap_err().to_string();
    assert!(error.contains("Stint_EU.lua has 99614721 bytes"), "{error}");
    assert!(!test_remote.path("state").exists(), "nothing was fetched");
}
