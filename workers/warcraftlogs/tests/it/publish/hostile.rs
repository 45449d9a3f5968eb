//! A repository that another user can write to: its contents are never written outside their folder.

use std::fs;
use std::path::{Path, PathBuf};

use stint_warcraftlogs::publish::{Git, Published, Publisher};

use super::test_remote::{TestRemote, player, push};

/// Commits a tree with these raw entries (mode, name, id) as the addon `Stint_EU` of the branch `main`.
fn commit_raw(test_remote: &TestRemote, entries: &[(&str, &str, String)]) {
    let mut sorted = entries.to_vec();
    sorted.sort_by(|one, other| one.1.cmp(other.1));
    let addon = test_remote.feed(&["hash-object", "-t", "tree", "-w", "--stdin", "--literally"], &raw(&sorted));
    let root = raw(&[("40000", "Stint_EU", addon.trim().to_owned())]);
    let root = test_remote.feed(&["hash-object", "-t", "tree", "-w", "--stdin", "--literally"], &root);
    let author = ["-c", "user.name=Another User", "-c", "user.email=another@localhost"];
    let commit = test_remote.git(&[&author[..], &["commit-tree", root.trim(), "-m", "Edit by hand"]].concat());
    test_remote.git(&["update-ref", "refs/heads/main", commit.trim()]);
}

fn raw(entries: &[(&str, &str, String)]) -> Vec<u8> {
    let mut tree = Vec::new();
    for (mode, name, id) in entries {
        tree.extend(format!("{mode} {name}\0").into_bytes());
        tree.extend((0..40).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()));
    }
    tree
}

fn blob(test_remote: &TestRemote, text: &str) -> String {
    test_remote.feed(&["hash-object", "-w", "--stdin"], text.as_bytes()).trim().to_owned()
}

/// All files under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn a_name_in_a_tree_leads_nowhere() {
    for dry_run in [true, false] {
        for test_remote in TestRemote::all() {
            let target = test_remote.path("victim");
            let absolute = target.join("absolute").to_str().unwrap().to_owned();
            fs::create_dir(&target).unwrap();
            let text = blob(&test_remote, "evil\n");
            let names = ["../../../victim/x", "../x", &absolute, "..", ".git", "a/b", "a\\b", "C:x", "Stint_EU.lua"];
            let toc = format!("## Version: 2026.11.19-1\n\n{}\n", names.join("\n"));
            let mut entries: Vec<_> = names.map(|name| ("100644", name, text.clone())).into();
            entries.push(("100644", "Stint_EU.toc", blob(&test_remote, &toc)));
            commit_raw(&test_remote, &entries);
            let folder = test_remote.generate("fresh", &[player("EU", "Ann", 20)]);
            let before = files(&folder);
            let git = Git::new(test_remote.settings("state"));
            if dry_run {
                let Published::Planned(planned) = git.plan(&folder).await.unwrap() else { panic!("nothing planned") };
                assert_eq!(planned.regions[0].difference, None);
            } else {
                push(&git, &folder).await;
                // The old folder's contents are gone, and the new one contains only Stint's files.
                let committed = test_remote.files("main").into_keys().filter(|name| name.starts_with("Stint_EU/"));
                assert_eq!(committed.collect::<Vec<_>>(), ["Stint_EU/Stint_EU.lua", "Stint_EU/Stint_EU.toc"]);
            }
            assert_eq!(files(&target), [] as [PathBuf; 0]);
            assert_eq!(files(&folder), before);
            let state: Vec<_> =
                fs::read_dir(test_remote.path("state")).unwrap().map(|it| it.unwrap().file_name()).collect();
            assert!(state.iter().all(|name| name == "publish.git" || name == "publish.lock"), "{state:?}");
        }
    }
}

#[tokio::test]
async fn hostile_tags_and_tables_of_contents_do_not_stop_publications() {
    for test_remote in TestRemote::all() {
        let toc = format!("## Version: 2026.11.20-4294967295\n{}\nStint_EU.lua\n", "#".repeat(100_000));
        commit_raw(
            &test_remote,
            &[("100644", "Stint_EU.toc", blob(&test_remote, &toc)), ("40000", "Stint_EU.lua", tree(&test_remote))],
        );
        for tag in ["v2026.11.20-4294967295", "v2026.11.20-999999", "v9999.12.31-4", "v2026.11.20-0", "v2999.12.31-1"] {
            test_remote.git(&["tag", tag, "main"]);
        }
        test_remote.git(&["tag", "--delete", "v2999.12.31-1"]);
        let git = Git::new(test_remote.settings("state"));
        let versions = ["2026.11.21-1", "2026.11.21-2"];
        for (name, version) in ["Ann", "Bea"].into_iter().zip(versions) {
            let publication = push(&git, &test_remote.generate("fresh", &[player("EU", name, 20)])).await;
            assert_eq!((publication.version.as_str(), publication.tag_refused), (version, None));
        }
    }
}

fn tree(test_remote: &TestRemote) -> String {
    test_remote.feed(&["mktree"], b"").trim().to_owned()
}
