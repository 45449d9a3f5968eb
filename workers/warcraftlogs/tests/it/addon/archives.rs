//! Archives when a user unpacks them.

use std::process::Command;

use stint_warcraftlogs::addon::write_archives;

use super::{installed, play, players};
use crate::lua::players::generate;

#[test]
fn an_archive_unpacks_into_addons_that_a_client_loads() {
    let folder = installed();
    let target = tempfile::tempdir().unwrap();
    let archives = write_archives(folder.path(), &target.path().join("archives")).unwrap();
    assert_eq!(archives.len(), 1);
    assert_eq!((archives[0].region.as_str(), archives[0].path.file_name().unwrap()), ("EU", "Stint_EU.zip".as_ref()));
    assert_eq!(archives[0].path.metadata().unwrap().len(), archives[0].bytes);
    let addons = target.path().join("AddOns");
    // Python has its own implementation of the format, like the players' systems.
    let output = Command::new("python3").args(["-m", "zipfile", "-e"]).args([&archives[0].path, &addons]).output();
    let output = output.expect("python3 is missing: apt-get install python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let hover = "game.start() game.hover('Ann', nil)";
    assert_eq!(play(&addons, hover), play(folder.path(), hover));
}

#[test]
fn the_same_players_give_the_same_archive() {
    let target = tempfile::tempdir().unwrap();
    let mut archives = Vec::new();
    for name in ["one", "two"] {
        let folder = installed();
        let written = write_archives(folder.path(), &target.path().join(name)).unwrap();
        archives.push(std::fs::read(&written[0].path).unwrap());
    }
    assert!(archives[0] == archives[1]);
}

#[test]
fn there_is_one_for_each_region_and_none_without_a_database() {
    let (folder, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    generate(folder.path(), &[]);
    assert_eq!(write_archives(folder.path(), target.path()).unwrap(), []);
    let mut both = players().to_vec();
    both[0].region = "US".to_owned();
    generate(folder.path(), &both);
    let regions = write_archives(folder.path(), target.path()).unwrap().into_iter().map(|archive| archive.region);
    assert_eq!(regions.collect::<Vec<_>>(), ["EU", "US"]);
    let error = format!("{:#}", write_archives(&target.path().join("absent"), target.path()).unwrap_err());
    assert!(error.contains("absent"), "{error}");
}
