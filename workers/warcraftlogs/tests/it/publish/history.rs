//! A branch that keeps only the latest state.

use std::sync::Arc;

use stint_warcraftlogs::publish::{Git, GitSettings, History, PublishStep, Publisher};

use super::test_remote::{TestRemote, player, push, push_meanwhile};

fn latest(test_remote: &TestRemote, state: &str) -> GitSettings {
    GitSettings { history: History::Latest, ..test_remote.settings(state) }
}

#[tokio::test]
async fn each_publication_replaces_the_one_before_and_has_no_tag() {
    for test_remote in TestRemote::both() {
        let git = Git::new(latest(&test_remote, "state"));
        for (name, replaced) in [("Ann", 0), ("Bea", 1), ("Cid", 1)] {
            let publication = push(&git, &test_remote.generate("fresh", &[player("EU", name, 20)])).await;
            assert_eq!((publication.replaced, publication.tag), (replaced, None));
            assert_eq!(test_remote.commits("main"), 1);
        }
        assert_eq!(test_remote.version("Stint_EU"), "2026.11.20-3");
        assert_eq!(test_remote.git(&["show-ref"]).lines().count(), 1);
    }
}

#[tokio::test]
async fn an_older_history_of_ours_is_dropped_when_the_setting_changes() {
    let test_remote = TestRemote::local();
    for name in ["Ann", "Bea"] {
        push(&Git::new(test_remote.settings("state")), &test_remote.generate("fresh", &[player("EU", name, 20)])).await;
    }
    let publication =
        push(&Git::new(latest(&test_remote, "state")), &test_remote.generate("fresh", &[player("EU", "Cid", 20)]))
            .await;
    assert_eq!((publication.replaced, test_remote.commits("main")), (2, 1));
}

#[tokio::test]
async fn what_another_publisher_pushes_meanwhile_is_in_the_new_state() {
    for test_remote in TestRemote::both().map(Arc::new) {
        push(&Git::new(latest(&test_remote, "state")), &test_remote.generate("fresh", &[player("EU", "Ann", 20)]))
            .await;
        let other = Arc::clone(&test_remote);
        let git = Git::with_progress(latest(&test_remote, "state"), move |step| {
            if step == PublishStep::Push(1) {
                let theirs = other.generate("theirs", &[player("US", "Bea", 27)]);
                push_meanwhile(Git::new(latest(&other, "other state")), theirs).unwrap();
            }
        });
        let publication = push(&git, &test_remote.generate("fresh", &[player("EU", "Cid", 21)])).await;
        assert_eq!((publication.attempts, publication.replaced, test_remote.commits("main")), (2, 1, 1));
        assert_eq!(
            [test_remote.version("Stint_US"), test_remote.version("Stint_EU")],
            ["2026.11.27-1", "2026.11.27-2"]
        );
        let theirs = std::fs::read_to_string(test_remote.path("theirs/Stint_US/Stint_US.lua")).unwrap();
        assert_eq!(test_remote.files("main")["Stint_US/Stint_US.lua"], theirs);
    }
}

#[tokio::test]
async fn a_branch_with_commits_of_others_is_never_replaced() {
    for test_remote in TestRemote::both() {
        test_remote.commit("main", &[("README.md", "precious\n")]);
        let folder = test_remote.generate("fresh", &[player("EU", "Ann", 20)]);
        let before = test_remote.git(&["rev-parse", "main"]);
        let error = Git::new(latest(&test_remote, "state")).publish(&folder).await.unwrap_err().to_string();
        assert!(error.contains("would drop commits of branch 'main'") && error.contains("\"Edit by hand\""), "{error}");
        assert!(error.contains("LUA_BRANCH") && error.contains("LUA_HISTORY=all"), "{error}");
        assert_eq!(test_remote.git(&["rev-parse", "main"]), before);
    }
}

#[tokio::test]
async fn a_commit_of_others_that_lands_meanwhile_is_not_replaced_either() {
    for test_remote in TestRemote::both().map(Arc::new) {
        push(&Git::new(latest(&test_remote, "state")), &test_remote.generate("fresh", &[player("EU", "Ann", 20)]))
            .await;
        let other = Arc::clone(&test_remote);
        let git = Git::with_progress(latest(&test_remote, "state"), move |step| {
            if step == PublishStep::Push(1) {
                other.commit("main", &[("README.md", "precious\n")]);
            }
        });
        let folder = test_remote.generate("fresh", &[player("EU", "Bea", 20)]);
        let error = git.publish(&folder).await.unwrap_err().to_string();
        assert!(error.contains("\"Edit by hand\""), "{error}");
        assert_eq!((test_remote.commits("main"), test_remote.files("main")["README.md"].as_str()), (2, "precious\n"));
    }
}
