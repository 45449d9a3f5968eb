//! Which database is loaded at login, and what is said when it is not.

use std::path::Path;

use stint_warcraftlogs::lua::database_path;

use super::{installed, play, players};
use crate::lua::world::generate;

/// Replaces a text in the database of EU.
fn change(folder: &Path, from: &str, to: &str) {
    let path = database_path(folder, "EU");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from));
    std::fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn only_the_database_of_the_clients_region_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let mut both = players().to_vec();
    both.extend(players().map(|mut player| {
        player.region = "US".to_owned();
        player
    }));
    generate(folder.path(), &both);
    let scenario = "game.start() print(tostring(game.loaded('Stint_EU')), tostring(game.loaded('Stint_US')))";
    assert_eq!(play(folder.path(), &format!("game.region = 3 {scenario}")), "true false\n");
    assert_eq!(play(folder.path(), &format!("game.region = 1 {scenario}")), "false true\n");
    let named = format!("game.region = 90 function GetCurrentRegionName() return 'US' end {scenario}");
    assert_eq!(play(folder.path(), &named), "false true\n");
}

#[test]
fn a_database_that_is_missing_or_switched_off_is_said_once() {
    let folder = installed();
    let hover = "game.start() game.fire('PLAYER_LOGIN') game.hover('Ann', nil)";
    insta::assert_snapshot!(play(folder.path(), &format!("game.region = 1 {hover}")), @r"
    |cffe5cc80Stint|r: there is no database for your region: install the addon Stint_US
    (an empty tooltip)
    ");
    insta::assert_snapshot!(play(folder.path(), &format!("game.disabled.Stint_EU = true {hover}")), @r"
    |cffe5cc80Stint|r: the database for your region is switched off: enable the addon Stint_EU
    (an empty tooltip)
    ");
    insta::assert_snapshot!(play(folder.path(), &format!("game.region = 90 {hover}")), @r"
    |cffe5cc80Stint|r: the region of this client is unknown, so no database is loaded
    (an empty tooltip)
    ");
}

#[test]
fn the_clients_own_words_say_why_an_addon_is_not_loaded() {
    let folder = installed();
    let toc = folder.path().join("Stint_EU/Stint_EU.toc");
    let text = std::fs::read_to_string(&toc).unwrap();
    std::fs::write(&toc, text.replace("## Interface: 120000", "## Interface: 110000")).unwrap();
    let scenario = "ADDON_INTERFACE_VERSION = 'Out of date' game.start()";
    insta::assert_snapshot!(play(folder.path(), scenario), @"|cffe5cc80Stint|r: the addon Stint_EU could not be loaded: Out of date");
}

#[test]
fn a_database_of_another_format_is_said_once_and_not_used() {
    let folder = installed();
    change(folder.path(), "D.format=2", "D.format=9");
    let said = play(folder.path(), "game.start() game.fire('PLAYER_LOGIN') game.hover('Ann', nil) game.type('Ann')");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].contains("the Stint database of region EU has format 9"), "{said}");
    assert!(lines[0].contains("install both from the same release"), "{said}");
    assert_eq!(lines[1..], ["(an empty tooltip)", "Stint: no database is loaded"]);
}

#[test]
fn a_client_without_a_game_has_the_reader_alone() {
    let folder = installed();
    let scenario = "
        local toc = io.open(arg[1] .. '/Stint/Stint.toc'):read('*a')
        local shared = {}
        for file in toc:gmatch('[^\\n]+%.lua') do
          assert(loadfile(arg[1] .. '/Stint/' .. file))('Stint', shared)
        end
        assert(loadfile(arg[1] .. '/Stint_EU/Stint_EU.lua'))()
        print(Stint.lookup('EU', 'Tarren Mill', 'Ann').raids[26][4].encounters[2398].kills)";
    assert_eq!(play(folder.path(), scenario), "12\n");
}
