//! Tags of publications.

use std::sync::Arc;

use stint_warcraftlogs::publish::{Git, PublishError, PublishStep, Published, Publisher};

use super::test_remote::{TestRemote, player, push};

#[tokio::test]
async fn every_publication_has_a_tag_of_its_version() {
    for test_remote in TestRemote::both() {
        let git = Git::new(test_remote.settings("state"));
        for (name, day) in [("Ann", 20), ("Bea", 20), ("Cid", 21)] {
            push(&git, &test_remote.generate("fresh", &[player("EU", name, day)])).await;
        }
        assert_eq!(test_remote.tags(), ["v2026.11.20-1", "v2026.11.20-2", "v2026.11.21-1"]);
        assert_eq!(test_remote.git(&["rev-parse", "v2026.11.21-1"]), test_remote.git(&["rev-parse", "main"]));
        assert_eq!(test_remote.git(&["rev-parse", "v2026.11.20-2"]), test_remote.git(&["rev-parse", "main~1"]));
    }
}

#[tokio::test]
async fn a_tag_that_was_never_pushed_is_made_up_for_by_the_next_run() {
    for change in [false, true] {
        for test_remote in TestRemote::both() {
            let killed = Git::with_progress(test_remote.settings("state"), |step| {
                assert!(!matches!(step, PublishStep::Tag(_)), "the process is killed here");
            });
            let folder = test_remote.generate("fresh", &[player("EU", "Ann", 20)]);
            assert!(matches!(killed.publish(&folder).await, Err(PublishError::Stopped(_))));
            assert_eq!((test_remote.commits("main"), test_remote.tags().len()), (1, 0));
            let git = Git::new(test_remote.settings("state"));
            if change {
                push(&git, &test_remote.generate("fresh", &[player("EU", "Bea", 20)])).await;
                assert_eq!(test_remote.tags(), ["v2026.11.20-1", "v2026.11.20-2"]);
            } else {
                assert_eq!(git.publish(&folder).await.unwrap(), Published::Unchanged);
                assert_eq!(test_remote.tags(), ["v2026.11.20-1"]);
            }
            let first = test_remote.git(&["rev-list", "--max-parents=0", "main"]);
            assert_eq!(test_remote.git(&["rev-parse", "v2026.11.20-1"]), first);
        }
    }
}

#[tokio::test]
async fn a_version_whose_tag_is_taken_is_passed_over() {
    for test_remote in TestRemote::both() {
        test_remote.commit("other", &[("README.md", "another user's\n")]);
        test_remote.git(&["tag", "v2026.11.20-7", "other"]);
        test_remote.git(&["tag", "v1.0", "other"]);
        let publication =
            push(&Git::new(test_remote.settings("state")), &test_remote.generate("fresh", &[player("EU", "Ann", 20)]))
                .await;
        assert_eq!(publication.tag.as_deref(), Some("v2026.11.20-8"));
        assert_eq!(test_remote.git(&["rev-parse", "v2026.11.20-7"]), test_remote.git(&["rev-parse", "other"]));
    }
}

#[tokio::test]
async fn a_tag_created_by_another_user_is_kept_and_reported() {
    for test_remote in TestRemote::both().map(Arc::new) {
        test_remote.commit("other", &[("README.md", "another user's\n")]);
        let other = Arc::clone(&test_remote);
        let git = Git::with_progress(test_remote.settings("state"), move |step| {
            if matches!(step, PublishStep::Tag(_)) {
                other.git(&["tag", "v2026.11.20-1", "other"]);
            }
        });
        let publication = push(&git, &test_remote.generate("fresh", &[player("EU", "Ann", 20)])).await;
        assert_eq!((publication.tag, test_remote.commits("main")), (None, 1));
        let refused = publication.tag_refused.unwrap();
        assert!(refused.contains("exist") || refused.contains("has moved"), "{refused}");
        assert_eq!(test_remote.git(&["rev-parse", "v2026.11.20-1"]), test_remote.git(&["rev-parse", "other"]));
    }
}
