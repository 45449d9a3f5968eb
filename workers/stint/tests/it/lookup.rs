//! Tests of `stint wcl lookup`.

use jiff::Timestamp;
use stint_warcraftlogs::lua::{DatabaseOptions, DatabaseWriter, Field};
use stint_warcraftlogs::model::{AllStars, Player};

use crate::home_fixture::PLAYER;
use crate::program::{Program, text};

/// Creates databases with Ånn and Bob of Tarren Mill, and Bob of Zuluhed.
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

fn arguments<'a>(region: &'a str, server: &'a str, name: &'a str) -> [&'a str; 6] {
    ["wcl", "lookup", "databases", region, server, name]
}

#[test]
fn a_player_is_found_by_any_spelling_of_its_server() {
    let program = prepared();
    insta::assert_snapshot!(program.succeed(&arguments("EU", "Tarren Mill", "Ånn")));
    for server in ["tarren-mill", "TarrenMill"] {
        assert_eq!(program.json(&arguments("eu", server, "Ånn"))["classId"], 4);
    }
    // The game writes a character of another realm like this, in place of both arguments.
    assert_eq!(program.json(&["wcl", "lookup", "databases", "EU", "Ånn-TarrenMill"])["classId"], 4);
    let error = program.fail(&["wcl", "lookup", "databases", "EU", "ånn-TarrenMill"]);
    assert!(error.contains("no ånn of TarrenMill") && error.contains("did you mean Ånn?"), "{error}");
    let alone = program.run(&["wcl", "lookup", "databases", "EU", "Zuluhed"]);
    assert_eq!(alone.code, 2);
    assert!(alone.stderr.contains("or write both as Name-Server"), "{}", alone.stderr);
}

#[test]
fn all_stars_scores_and_keystones_are_shown_where_a_database_has_them() {
    let program = Program::new();
    let mut player: Player = serde_json::from_str(PLAYER).unwrap();
    let stars = AllStars { spec: Some("Fire".into()), points: 910.852, rank: Some(1326), ..AllStars::default() };
    let ranks = player.raids.values_mut().flat_map(|raid| raid.values_mut()).next().unwrap();
    let rank = ranks.encounters.values_mut().next().unwrap();
    (rank.score, rank.key_level, rank.all_stars) =
        (Some(169.3), Some(15), Some(AllStars { spec: None, ..stars.clone() }));
    ranks.all_stars = vec![stars];
    let mut options = DatabaseOptions::default();
    options.fields.extend([Field::AllStars, Field::BossAllStars, Field::Score]);
    let mut writer = DatabaseWriter::create_with(program.file("databases"), options).unwrap();
    writer.push(player).unwrap();
    writer.finish(Timestamp::UNIX_EPOCH).unwrap();
    let told = program.succeed(&arguments("EU", "Tarren Mill", "Ånn"));
    assert!(told.contains("\n  all-stars of Fire: 910 points, 1,326 in the world\n"), "{told}");
    let columns = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let boss = told.lines().last().map(columns).unwrap();
    assert_eq!(boss, ["2398", "95", "12", "Fire", "169", "15", "910", "1,326"], "{told}");
    let found = program.json(&arguments("EU", "Tarren Mill", "Ånn"));
    let ranks = &found["raids"]["26"]["4"];
    assert_eq!(ranks["allStars"][0], serde_json::json!({"spec": "Fire", "points": 910.0, "rank": 1326}));
    assert_eq!(ranks["encounters"]["2398"]["keyLevel"], 15);
}

#[test]
fn similar_players_are_suggested() {
    let program = prepared();
    let not_found = |server, name| program.fail(&arguments("EU", server, name));
    insta::assert_snapshot!(not_found("Tarren Mill", "ånn"), @"error: there is no ånn of Tarren Mill in the database of EU; did you mean Ånn?");
    insta::assert_snapshot!(not_found("tarren mil", "Bob"), @"error: there is no Bob of tarren mil in the database of EU; it has no server 'tarren mil', did you mean Tarren Mill?");
    insta::assert_snapshot!(not_found("Zuluhed", "Ånn"), @"error: there is no Ånn of Zuluhed in the database of EU; a player of that name is on Tarren Mill");
    insta::assert_snapshot!(not_found("Zuluhed", "Xyz"), @"error: there is no Xyz of Zuluhed in the database of EU");
}

#[test]
fn missing_databases_are_named_with_the_remedy() {
    let program = prepared();
    let error = program.fail(&arguments("XX", "Tarren Mill", "Ånn"));
    assert!(error.contains("no database for region \"XX\", only for EU"), "{error}");
    let folder = program.file("nothing");
    let error = program.fail(&["wcl", "lookup", text(&folder), "EU", "Tarren Mill", "Ånn"]);
    assert!(error.contains("[folder]/nothing") && error.contains("stint run wcl/db-generator"), "{error}");
}
