//! Which database is loaded at login, and what is printed if it is not.

use std::path::Path;

use stint_warcraftlogs::lua::{DatabaseOptions, database_path};
use stint_warcraftlogs::model::Player;

use super::{installed, play, players};
use crate::lua::players::{bare, generate, generate_with, name_of, ranked};

/// Replaces a text in the EU database.
fn change(folder: &Path, from: &str, to: &str) {
    let path = database_path(folder, "EU");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from));
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// A folder with databases of both regions, with players on these realms.
fn two_regions(eu: &str, us: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let in_region = |region: &'static str, realm: &'static str| {
        let rename = move |mut player: Player| {
            let server = bare(region, realm, "Ann").server;
            (player.region, player.server) = (region.to_owned(), server);
            player
        };
        players().map(rename)
    };
    let (eu, us) = (eu.to_owned().leak(), us.to_owned().leak());
    generate(folder.path(), &[in_region("EU", eu), in_region("US", us)].concat());
    folder
}

#[test]
fn only_the_database_of_the_clients_region_is_loaded() {
    let folder = two_regions("Tarren Mill", "Tarren Mill");
    let scenario = "game.start() print(tostring(game.loaded('Stint_EU')), tostring(game.loaded('Stint_US')))";
    assert_eq!(play(folder.path(), &format!("game.region = 3 {scenario}")), "true false\n");
    assert_eq!(play(folder.path(), &format!("game.region = 1 {scenario}")), "false true\n");
    let named = format!("game.region = 90 function GetCurrentRegionName() return 'US' end {scenario}");
    assert_eq!(play(folder.path(), &named), "false true\n");
}

#[test]
fn the_only_database_is_loaded_whatever_region_the_client_says() {
    let folder = installed();
    for region in ["1", "90", "nil"] {
        let hover = format!("game.region = {region} game.start() game.hover('Cid', nil) game.type('help')");
        let shown = play(folder.path(), &hover);
        assert!(shown.contains("Raid 99 difficulty 7") && shown.contains("Database: EU of 2026-11-20"), "{shown}");
        assert!(!shown.contains("region"), "{shown}");
    }
    insta::assert_snapshot!(play(folder.path(), "game.region = 1 game.realm = 'Nowhere' game.start()"),
        @"|cffe5cc80Stint|r: the database Stint_EU has no player of your realm Nowhere");
    assert_eq!(play(folder.path(), "game.realm = 'Nowhere' game.start()"), "", "the client's region is right");
}

#[test]
fn of_several_databases_the_one_that_knows_the_realm_is_kept() {
    let folder = two_regions("Kel'Thuzad", "Area 52");
    let scenario = "game.start() print(StintDatabases.EU ~= nil, StintDatabases.US ~= nil) game.type('Cid')";
    for (realm, region, kept) in
        [("KelThuzad", 1, "EU"), ("Area52", 3, "US"), ("Area52", 90, "US"), ("Kel’Thuzad", 2, "EU")]
    {
        let set = format!("game.realm = \"{realm}\" game.region = {region}");
        let shown = play(folder.path(), &format!("{set} {scenario}"));
        let expected = if kept == "EU" { "true false" } else { "false true" };
        assert!(shown.starts_with(&format!("{expected}\nCid of {realm}\n")), "{realm}: {shown}");
    }
    // A realm in no database: the client's own region is used, and the others are removed from memory.
    let unknown = format!("game.realm = 'Nowhere' {}", scenario);
    assert!(play(folder.path(), &unknown).starts_with("true false\n"));
    // A database loaded by another addon stays.
    let foreign = format!("game.realm = 'Area52' StintDatabases = {{ EU = {{ data = {{}} }} }} {}", scenario);
    assert!(play(folder.path(), &foreign).contains("true true\nCid"));
}

#[test]
fn old_data_are_said_once_and_shown() {
    let folder = installed();
    let at = |day: u32| play(folder.path(), &format!("game.now.month = 12 game.now.day = {day} game.start()"));
    assert_eq!(at(4), "");
    insta::assert_snapshot!(at(5), @"|cffe5cc80Stint|r: the ranks of Stint_EU are 15 days old: update it");
    let hover = "game.now.year = 2027 game.start() game.fire('PLAYER_LOGIN') game.hover('Cid', nil)";
    let shown = play(folder.path(), hover);
    assert!(shown.contains("are 366 days old") && shown.contains("Raid 99"), "{shown}");
}

#[test]
fn a_data_file_that_was_cut_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let servers = ["Aa", "Bb", "Tarren Mill"];
    let everyone: Vec<Player> =
        (0..60).map(|seed| ranked("EU", servers[seed % 3], &name_of(seed as u32), seed as u64)).collect();
    let options = DatabaseOptions { largest_file: 2_000, ..DatabaseOptions::default() };
    let report = generate_with(folder.path(), &everyone, options);
    assert!(report.regions[0].files.len() > 1);
    for path in &report.regions[0].files {
        let whole = std::fs::read(path).unwrap();
        let lines: Vec<usize> =
            (0..whole.len()).filter(|place| whole[*place] == b'\n').map(|place| place + 1).collect();
        let comment = whole.len() - 36;
        let cuts =
            lines.into_iter().step_by(7).chain([0, 1, whole.len() / 3, whole.len() / 2, comment - 1, comment - 5]);
        for cut in cuts.filter(|cut| *cut < comment) {
            std::fs::write(path, &whole[..cut]).unwrap();
            let shown = play(folder.path(), "game.start() game.type('Ann')");
            assert!(shown.contains("cut short or damaged: install it again"), "{path:?} cut at {cut}: {shown}");
            assert!(shown.ends_with("Stint: no database is loaded\n"), "{path:?} cut at {cut}: {shown}");
        }
        std::fs::write(path, &whole).unwrap();
    }
    let shown = play(folder.path(), "game.start() game.type('Missing')");
    assert!(shown.ends_with("Stint: nothing is known of Missing of TarrenMill\n"), "{shown}");
}

#[test]
fn a_database_that_is_missing_or_switched_off_is_said_once() {
    let folder = installed();
    let hover = "game.start() game.fire('PLAYER_LOGIN') game.hover('Ann', nil)";
    std::fs::rename(folder.path().join("Stint_EU"), folder.path().join("aside")).unwrap();
    insta::assert_snapshot!(play(folder.path(), &format!("game.region = 90 {hover}")), @r"
    |cffe5cc80Stint|r: the region of this client is unknown, and no database is installed
    (an empty tooltip)
    ");
    insta::assert_snapshot!(play(folder.path(), &format!("game.region = 1 {hover}")), @r"
    |cffe5cc80Stint|r: there is no database for your region: install the addon Stint_US
    (an empty tooltip)
    ");
    std::fs::rename(folder.path().join("aside"), folder.path().join("Stint_EU")).unwrap();
    insta::assert_snapshot!(play(folder.path(), &format!("game.disabled.Stint_EU = true {hover}")), @r"
    |cffe5cc80Stint|r: the database for your region is switched off: enable the addon Stint_EU
    (an empty tooltip)
    ");
    insta::assert_snapshot!(play(folder.path(), &format!("game.region = 1 game.disabled.Stint_EU = true {hover}")), @r"
    |cffe5cc80Stint|r: no database is switched on: enable the addon Stint_EU
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
