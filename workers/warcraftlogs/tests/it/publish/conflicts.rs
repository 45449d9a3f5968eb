//! Publishers that push to one branch at the same time.

use std::sync::Arc;

use stint_warcraftlogs::publish::{Git, GitSettings, PublishStep, Publisher};

use super::test_remote::{TestRemote, player, push, push_meanwhile};

/// A publisher that finds another publisher's commit before each of its first `lands` pushes.
fn overtaken(test_remote: &Arc<TestRemote>, lands: u32) -> Git {
    let other = Arc::clone(test_remote);
    Git::with_progress(test_remote.settings("state"), move |step| {
        if let PublishStep::Push(attempt) = step
            && attempt <= lands
        {
            let theirs = other.generate("theirs", &[player("US", "Bea", 10 + attempt)]);
            push_meanwhile(Git::new(other.settings("other state")), theirs).unwrap();
        }
    })
}

#[tokio::test]
async fn a_push_that_is_overtaken_is_made_again_on_top() {
    for test_remote in TestRemote::both().map(Arc::new) {
        let folder = test_remote.generate("fresh", &[player("EU", "Ann", 20)]);
        let published = push(&overtaken(&test_remote, 2), &folder).await;
        assert_eq!((published.attempts, published.version.as_str()), (3, "2026.11.20-1"));
        assert_eq!(test_remote.commits("main"), 3);
        assert_eq!(
            [test_remote.version("Stint_EU"), test_remote.version("Stint_US")],
            ["2026.11.20-1", "2026.11.12-1"]
        );
        assert_eq!(test_remote.tags(), ["v2026.11.11-1", "v2026.11.12-1", "v2026.11.20-1"]);
    }
}

#[tokio::test]
async fn a_push_that_is_always_overtaken_ends_with_an_error_and_loses_nothing() {
    for test_remote in TestRemote::both().map(Arc::new) {
        let folder = test_remote.generate("fresh", &[player("EU", "Ann", 20)]);
        let error = overtaken(&test_remote, 9).publish(&folder).await.unwrap_err().to_string();
        assert!(error.contains("in each of 5 attempts") && error.contains("branch 'main'"), "{error}");
        assert_eq!((test_remote.commits("main"), test_remote.version("Stint_US").as_str()), (5, "2026.11.15-1"));
        assert!(!test_remote.files("main").contains_key("Stint_EU/Stint_EU.toc"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn publishers_at_the_same_time_all_land() {
    // A state folder shared by all is the case of `stint up` and `stint wcl publish` in one home.
    for (test_remote, shared) in
        TestRemote::both().into_iter().chain(TestRemote::both()).map(Arc::new).zip([false, false, true, true])
    {
        let tasks = ["EU", "US", "KR", "TW"].map(|region| {
            let test_remote = Arc::clone(&test_remote);
            tokio::spawn(async move {
                let folder = test_remote.generate(&format!("fresh {region}"), &[player(region, "Ann", 20)]);
                let state = if shared { "state".to_owned() } else { format!("state {region}") };
                let settings = GitSettings { attempts: 100, ..test_remote.settings(&state) };
                push(&Git::new(settings), &folder).await
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!((test_remote.commits("main"), test_remote.tags().len()), (4, 4));
        let files = test_remote.files("main");
        assert!(
            ["EU", "US", "KR", "TW"]
                .iter()
                .all(|region| files.contains_key(&format!("Stint_{region}/Stint_{region}.lua")))
        );
    }
}

#[tokio::test]
async fn a_missing_branch_is_created_beside_the_others() {
    let test_remote = TestRemote::local();
    let url = format!("file://{}", test_remote.path("remote.git").display());
    let folder = test_remote.generate("fresh", &[player("EU", "Ann", 20)]);
    let settings = GitSettings { url, ..test_remote.settings("state") };
    push(&Git::new(settings.clone()), &folder).await;
    let branch = "data/eu".to_owned();
    let second = push(&Git::new(GitSettings { branch, ..settings }), &folder).await;
    // The first one's tag counts: two branches do not share a version.
    assert_eq!(second.version, "2026.11.20-2");
    assert_eq!((test_remote.commits("main"), test_remote.commits("data/eu")), (1, 1));
}
