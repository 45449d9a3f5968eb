//! The output of `/stint`.

use super::{installed, play};

#[test]
fn a_player_is_named_with_or_without_a_realm() {
    let folder = installed();
    let scenario = "game.start() game.type('Ann') game.type('  bea-Area52 ') game.type('Bea-Area 52')
        game.type('bea - area-52')";
    insta::assert_snapshot!(play(folder.path(), scenario), @r"
    Ann of TarrenMill
    |cffe5cc80Stint|r: |cff9d9d9d2026-11-20|r
    Sanctum of Domination Mythic: |cff1eff0025|r best, |cff6666660|r median, 0/10
    Sanctum of Domination Heroic: |cffa335ee75|r best, |cff0070ff50|r median, 1/10
      Boss 2423: |cffff800095|r, 2 kills
    Castle Nathria Heroic: |cffe268a899|r best, |cff1eff0049|r median, 2/10
      Boss 2398: |cffe5cc80100|r Fire, 12 kills
      Boss 2418: |cff66666624|r Arcane, 1 kill
    Castle Nathria Normal: |cff66666610|r best, |cff6666665|r median, 1/10
      Boss 2398: |cff66666610|r Fire, 30 kills
    Bea of Area52
    |cffe5cc80Stint|r: |cff9d9d9d2026-11-20|r
    Castle Nathria Heroic: |cff0070ff50|r best, 0/10
    Bea of Area 52
    |cffe5cc80Stint|r: |cff9d9d9d2026-11-20|r
    Castle Nathria Heroic: |cff0070ff50|r best, 0/10
    Bea of area-52
    |cffe5cc80Stint|r: |cff9d9d9d2026-11-20|r
    Castle Nathria Heroic: |cff0070ff50|r best, 0/10
    ");
}

#[test]
fn without_a_name_it_is_the_target_or_help() {
    let folder = installed();
    let scenario = "game.start() game.units.target = { name = 'Bea', realm = 'Area52', is_player = true } game.type('')
        game.units.target = { name = 'Boar', is_player = false } game.type('')";
    insta::assert_snapshot!(play(folder.path(), scenario), @r"
    Bea of Area52
    |cffe5cc80Stint|r: |cff9d9d9d2026-11-20|r
    Castle Nathria Heroic: |cff0070ff50|r best, 0/10
    /stint                  your target's ranks
    /stint Name             the ranks of a player of your realm
    /stint Name-Realm       the ranks of a player of another realm
    /stint help             this text
    Database: EU of 2026-11-20, version 2026.11.20
    ");
}

#[test]
fn an_unknown_player_is_reported() {
    let folder = installed();
    let scenario =
        "game.start() game.type('Missing') game.type('Ann-Nowhere') game.type('a-b-c') game.type('-') game.type('%')";
    insta::assert_snapshot!(play(folder.path(), scenario), @r"
    Stint: nothing is known of Missing of TarrenMill
    Stint: nothing is known of Ann of Nowhere
    Stint: nothing is known of A of b-c
    Stint: nothing is known of - of TarrenMill
    Stint: nothing is known of % of TarrenMill
    ");
}

#[test]
fn help_names_the_database_that_is_loaded() {
    let folder = installed();
    insta::assert_snapshot!(play(folder.path(), "game.start() game.type('help')"), @r"
    /stint                  your target's ranks
    /stint Name             the ranks of a player of your realm
    /stint Name-Realm       the ranks of a player of another realm
    /stint help             this text
    Database: EU of 2026-11-20, version 2026.11.20
    ");
    std::fs::rename(folder.path().join("Stint_EU"), folder.path().join("aside")).unwrap();
    insta::assert_snapshot!(play(folder.path(), "game.region = 2 game.start() game.type('help') game.type('Ann')"), @r"
    |cffe5cc80Stint|r: there is no database for your region: install the addon Stint_KR
    /stint                  your target's ranks
    /stint Name             the ranks of a player of your realm
    /stint Name-Realm       the ranks of a player of another realm
    /stint help             this text
    Database: none is loaded
    Stint: no database is loaded
    ");
}
