//! Tags of publications.

use std::sync::Arc;

use stint_warcraftlogs::publish::{Git, PublishError, PublishStep, Published, Publisher};

use super::place::{Place, player, push};

#[tokio::test]
async fn every_publication_has_a_tag_of_its_version() {
    for place in Place::both() {
        let git = Git::new(place.settings("state"));
        for (name, day) in [("Ann", 20), ("Bea", 20), ("Cid", 21)] {
            push(&git, &place.generate("fresh", &[player("EU", name, day)])).await;
        }
        assert_eq!(place.tags(), ["v2026.11.20-1", "v2026.11.20-2", "v2026.11.21-1"]);
        assert_eq!(place.git(&["rev-parse", "v2026.11.21-1"]), place.git(&["rev-parse", "main"]));
        assert_eq!(place.git(&["rev-parse", "v2026.11.20-2"]), place.git(&["rev-parse", "main~1"]));
    }
}

#[tokio::test]
async fn a_tag_that_was_never_pushed_is_made_up_for_by_the_next_run() {
    for change in [false, true] {
        for place in Place::both() {
            let dying = Git::with_progress(place.settings("state"), |step| {
                assert!(!matches!(step, PublishStep::Tag(_)), "the process dies here");
            });
            let folder = place.generate("fresh", &[player("EU", "Ann", 20)]);
            assert!(matches!(dying.publish(&folder).await, Err(PublishError::Stopped(_))));
            assert_eq!((place.commits("main"), place.tags().len()), (1, 0));
            let git = Git::new(place.settings("state"));
            if change {
                push(&git, &place.generate("fresh", &[player("EU", "Bea", 20)])).await;
                assert_eq!(place.tags(), ["v2026.11.20-1", "v2026.11.20-2"]);
            } else {
                assert_eq!(git.publish(&folder).await.unwrap(), Published::Unchanged);
                assert_eq!(place.tags(), ["v2026.11.20-1"]);
            }
            let first = place.git(&["rev-list", "--max-parents=0", "main"]);
            assert_eq!(place.git(&["rev-parse", "v2026.11.20-1"]), first);
        }
    }
}

#[tokio::test]
async fn a_version_whose_tag_is_taken_is_passed_over() {
    for place in Place::both() {
        place.commit("other", &[("README.md", "somebody's\n")]);
        place.git(&["tag", "v2026.11.20-7", "other"]);
        place.git(&["tag", "v1.0", "other"]);
        let publication =
            push(&Git::new(place.settings("state")), &place.generate("fresh", &[player("EU", "Ann", 20)])).await;
        assert_eq!(publication.tag.as_deref(), Some("v2026.11.20-8"));
        assert_eq!(place.git(&["rev-parse", "v2026.11.20-7"]), place.git(&["rev-parse", "other"]));
    }
}

#[tokio::test]
async fn a_tag_that_somebody_takes_meanwhile_stays_theirs_and_is_said() {
    for place in Place::both().map(Arc::new) {
        place.commit("other", &[("README.md", "somebody's\n")]);
        let other = Arc::clone(&place);
        let git = Git::with_progress(place.settings("state"), move |step| {
            if matches!(step, PublishStep::Tag(_)) {
                other.git(&["tag", "v2026.11.20-1", "other"]);
            }
        });
        let publication = push(&git, &place.generate("fresh", &[player("EU", "Ann", 20)])).await;
        assert_eq!((publication.tag, place.commits("main")), (None, 1));
        let refused = publication.tag_refused.unwrap();
        assert!(refused.contains("exist") || refused.contains("has moved"), "{refused}");
        assert_eq!(place.git(&["rev-parse", "v2026.11.20-1"]), place.git(&["rev-parse", "other"]));
    }
}
