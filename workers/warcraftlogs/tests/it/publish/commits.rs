//! The commits of publications.

use stint_warcraftlogs::addon::regions;
use stint_warcraftlogs::publish::{Git, GitSettings, Published, Publisher};

use super::test_remote::{TestRemote, player, push, version_in};
use crate::lua::players::ranked;

#[tokio::test]
async fn an_empty_remote_gets_its_first_commit_and_no_second_one_without_a_change() {
    for test_remote in TestRemote::both() {
        let git = Git::new(GitSettings { folder: "/db/".to_owned(), ..test_remote.settings("state") });
        let folder = test_remote.generate("fresh", &[player("EU", "Ann", 20)]);
        let first = push(&git, &folder).await;
        assert_eq!((first.version.as_str(), first.tag.as_deref()), ("2026.11.20-1", Some("v2026.11.20-1")));
        assert_eq!((first.attempts, first.replaced, first.tag_refused), (1, 0, None));
        assert_eq!(first.commit.unwrap(), test_remote.git(&["rev-parse", "main"]).trim());
        assert_eq!(git.publish(&folder).await.unwrap(), Published::Unchanged);
        // A new generation does not have the version yet.
        let folder = test_remote.generate("fresh", &[player("EU", "Ann", 20)]);
        assert_eq!(git.publish(&folder).await.unwrap(), Published::Unchanged);
        assert_eq!(test_remote.commits("main"), 1);
        let files = test_remote.files("main");
        let database = std::fs::read_to_string(folder.join("Stint_EU/Stint_EU.lua")).unwrap();
        assert_eq!(files["db/Stint_EU/Stint_EU.lua"], database);
        assert!(files.contains_key("db/Stint/Stint.lua") && files.keys().all(|name| name.starts_with("db/Stint")));
        assert_eq!(test_remote.git(&["log", "-1", "--format=%an <%ae>", "main"]).trim(), "Stint <stint@localhost>");
    }
}

#[tokio::test]
async fn the_message_counts_added_and_removed_players() {
    let test_remote = TestRemote::local();
    let git = Git::new(test_remote.settings("state"));
    let before = ["Ann", "Bea", "Cid"].map(|name| player("EU", name, 20));
    push(&git, &test_remote.generate("fresh", &before)).await;
    let mut after = [player("EU", "Ann", 20), ranked("EU", "Area 52", "Bea", 3), player("EU", "Dag", 28)].to_vec();
    after[1].updated_at = "2026-11-21T00:00:00Z".parse().unwrap();
    after.push(player("KR", "Eva", 27));
    let publication = push(&git, &test_remote.generate("fresh", &after)).await;
    let sizes = publication.regions.iter().map(|region| (region.bytes, region.bytes_before)).collect::<Vec<_>>();
    let written =
        |region: &str| test_remote.path(&format!("fresh/Stint_{region}/Stint_{region}.lua")).metadata().unwrap().len();
    assert_eq!((sizes[0].0, sizes[1]), (written("EU"), (written("KR"), None)));
    let message = test_remote.git(&["log", "-1", "--format=%B", "main"]);
    assert_eq!(message.trim(), publication.message.trim());
    insta::with_settings!({ filters => [(r" [\d,]+ bytes(, [\d,]+ before)?", " [size]")] }, {
        insta::assert_snapshot!(message.trim(), @r"
        databases 2026.11.28-1: 4 players of EU, KR

        EU: 3 players, 1 added, 1 removed, 1 changed, [size], data of 2026-11-20 to 2026-11-28
        KR: 1 player, [size], data of 2026-11-27

        Stint-Version: 2026.11.28-1
        ");
    });
}

#[tokio::test]
async fn only_what_changed_gets_a_higher_version_here_and_there() {
    for test_remote in TestRemote::both() {
        let git = Git::new(test_remote.settings("state"));
        push(&git, &test_remote.generate("fresh", &[player("EU", "Ann", 20), player("US", "Bea", 20)])).await;
        let folder = test_remote.generate("fresh", &[player("EU", "Ann", 20), player("US", "Bob", 20)]);
        let publication = push(&git, &folder).await;
        assert_eq!(publication.version, "2026.11.20-2");
        assert_eq!(publication.regions.iter().map(|change| change.region.as_str()).collect::<Vec<_>>(), ["US"]);
        for (addon, version) in [("Stint", "2026.11.20-1"), ("Stint_EU", "2026.11.20-1"), ("Stint_US", "2026.11.20-2")]
        {
            assert_eq!(test_remote.version(addon), version);
            let here = std::fs::read_to_string(folder.join(format!("{addon}/{addon}.toc"))).unwrap();
            assert_eq!(version_in(&here), version);
        }
        let publication = push(&git, &test_remote.generate("fresh", &[player("US", "Bob", 21)])).await;
        assert_eq!(publication.version, "2026.11.21-1");
        assert_eq!(test_remote.version("Stint_EU"), "2026.11.20-1");
    }
}

#[tokio::test]
async fn what_others_have_in_the_branch_stays_and_what_an_addon_no_longer_has_goes() {
    let test_remote = TestRemote::local();
    let git = Git::new(test_remote.settings("state"));
    push(&git, &test_remote.generate("fresh", &[player("EU", "Ann", 20)])).await;
    test_remote
        .commit("main", &[("README.md", "ours\n"), ("docs/Stint.md", "too\n"), ("Stint_EU/Stint_EU_2.lua", "old\n")]);
    push(&git, &test_remote.generate("fresh", &[player("EU", "Bea", 20)])).await;
    let files = test_remote.files("main");
    assert_eq!((files["README.md"].as_str(), files["docs/Stint.md"].as_str()), ("ours\n", "too\n"));
    assert!(!files.contains_key("Stint_EU/Stint_EU_2.lua"));
    assert_eq!(test_remote.commits("main"), 3);
    test_remote.git(&["fsck", "--strict"]);
}

#[tokio::test]
async fn an_earlier_database_that_cannot_be_read_is_replaced_without_a_comparison() {
    let test_remote = TestRemote::local();
    let git = Git::new(test_remote.settings("state"));
    push(&git, &test_remote.generate("fresh", &[player("EU", "Ann", 20)])).await;
    test_remote.commit("main", &[("Stint_EU/Stint_EU.lua", "-- half a file")]);
    let publication = push(&git, &test_remote.generate("fresh", &[player("EU", "Ann", 20)])).await;
    assert_eq!(publication.regions[0].difference, None);
    assert_eq!(publication.regions[0].bytes_before, Some(14));
    assert_eq!(test_remote.version("Stint_EU"), "2026.11.20-2");
}

#[tokio::test]
async fn a_plan_says_what_would_be_pushed_and_writes_nothing() {
    let test_remote = TestRemote::local();
    let git = Git::new(test_remote.settings("state"));
    push(&git, &test_remote.generate("fresh", &[player("EU", "Ann", 20)])).await;
    let before = test_remote.git(&["show-ref"]);
    let folder = test_remote.generate("fresh", &[player("EU", "Bea", 20)]);
    let Published::Planned(planned) = git.plan(&folder).await.unwrap() else { panic!("nothing is planned") };
    assert_eq!((planned.version.as_str(), planned.commit), ("2026.11.20-2", None));
    assert!(planned.message.contains("1 added, 1 removed, 0 changed"), "{}", planned.message);
    assert_eq!(test_remote.git(&["show-ref"]), before);
    let here = std::fs::read_to_string(folder.join("Stint_EU/Stint_EU.toc")).unwrap();
    assert_eq!(version_in(&here), "2026.11.20");
    push(&git, &folder).await;
    assert_eq!(git.plan(&folder).await.unwrap(), Published::Unchanged);
    assert_eq!(regions(&folder).unwrap(), ["EU"]);
}
