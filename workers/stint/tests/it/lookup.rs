//! `stint lookup`.

use jiff::Timestamp;
use stint_warcraftlogs::lua::DatabaseWriter;
use stint_warcraftlogs::model::Player;

use crate::program::{Program, text};
use crate::world::PLAYER;

/// Databases with Ånn and Bob of Tarren Mill, and Bob of Zuluhed.
fn prepared() -> Program {
    let program = Program::new();
    let player = |id, name: &str| {
        let mut player: Player = serde_json::from_str(PLAYER).unwrap();
        (player.id, player.name) = (id, name.to_owned());
        player
    };
    let mut namesake = player(3, "Bob");
    let server = &mut namesake.server;
    (server.name, server.slug, server.normalized_name) = ("Zuluhed".into(), "zuluhed".into(), "Zuluhed".into());
    let mut writer = DatabaseWriter::create(program.file("databases")).unwrap();
    for player in [player(1, "Bob"), player(2, "Ånn"), namesake] {
        writer.push(player).unwrap();
    }
    writer.finish(Timestamp::UNIX_EPOCH).unwrap();
    program
}

fn arguments<'a>(region: &'a str, server: &'a str, name: &'a str) -> [&'a str; 5] {
    ["lookup", "databases", region, server, name]
}

#[test]
fn a_player_is_found_by_any_spelling_of_its_server() {
    let program = prepared();
    insta::assert_snapshot!(program.succeed(&arguments("EU", "Tarren Mill", "Ånn")));
    for server in ["tarren-mill", "TarrenMill"] {
        assert_eq!(program.json(&arguments("eu", server, "Ånn"))["classId"], 4);
    }
    // As the game writes a foreign character, in place of both.
    assert_eq!(program.json(&["lookup", "databases", "EU", "Ånn-TarrenMill"])["classId"], 4);
    let error = program.fail(&["lookup", "databases", "EU", "ånn-TarrenMill"]);
    assert!(error.contains("no ånn of TarrenMill") && error.contains("did you mean Ånn?"), "{error}");
    let alone = program.run(&["lookup", "databases", "EU", "Zuluhed"]);
    assert_eq!(alone.code, 2);
    assert!(alone.stderr.contains("name a character too, or write both as Name-Server"), "{}", alone.stderr);
}

#[test]
fn players_that_may_have_been_meant_are_said() {
    let program = prepared();
    let not_found = |server, name| program.fail(&arguments("EU", server, name));
    insta::assert_snapshot!(not_found("Tarren Mill", "ånn"), @"error: there is no ånn of Tarren Mill in the database of EU; did you mean Ånn?");
    insta::assert_snapshot!(not_found("tarren mil", "Bob"), @"error: there is no Bob of tarren mil in the database of EU; it has no server 'tarren mil', did you mean Tarren Mill?");
    insta::assert_snapshot!(not_found("Zuluhed", "Ånn"), @"error: there is no Ånn of Zuluhed in the database of EU; a player of that name is on Tarren Mill");
    insta::assert_snapshot!(not_found("Zuluhed", "Xyz"), @"error: there is no Xyz of Zuluhed in the database of EU");
}

#[test]
fn what_is_missing_is_said_with_the_remedy() {
    let program = prepared();
    let error = program.fail(&arguments("XX", "Tarren Mill", "Ånn"));
    assert!(error.contains("no database for region \"XX\", only for EU"), "{error}");
    let folder = program.file("nothing");
    let error = program.fail(&["lookup", text(&folder), "EU", "Tarren Mill", "Ånn"]);
    assert!(error.contains("[folder]/nothing") && error.contains("stint run warcraftlogs db-generator"), "{error}");
}
