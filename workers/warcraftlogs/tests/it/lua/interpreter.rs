//! The generated files in the interpreter that the game embeds.

use std::path::Path;
use std::process::Command;

use stint_warcraftlogs::lua::{DatabaseOptions, Found, database_path};
use stint_warcraftlogs::model::Player;

use super::players::{generate, line, name_of, plain, ranked, server};

/// Runs a Lua 5.1 program and returns its output.
fn run(program: &str, arguments: &[&Path]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| {
        panic!(
            "cannot run {program}: {error}; install it with 'apt-get install lua5.1', or run scripts/test, which does"
        )
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Queries the interpreter for (region, server, name) and returns one line for each.
fn answers(folder: &Path, queries: &[(&str, &str, &str)]) -> Vec<String> {
    let text: String = queries.iter().map(|(region, server, name)| format!("{region}\t{server}\t{name}\n")).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/lua/lookup.lua");
    let regions = stint_warcraftlogs::addon::regions(folder).unwrap().join(" ");
    run("lua5.1", &[&script, folder, Path::new(&regions), file.path()]).lines().map(str::to_owned).collect()
}

/// Asserts that every player is found as written.
fn assert_all_found(folder: &Path, players: &[Player]) {
    assert_all_found_with(folder, players, &DatabaseOptions::default());
}

/// The same, in databases with these options.
pub(super) fn assert_all_found_with(folder: &Path, players: &[Player], options: &DatabaseOptions) {
    let queries: Vec<_> = players
        .iter()
        .map(|player| (player.region.as_str(), player.server.name.as_str(), player.name.as_str()))
        .collect();
    let answers = answers(folder, &queries);
    assert_eq!(answers.len(), players.len());
    for (player, answer) in players.iter().zip(answers) {
        assert_eq!(answer, line(Found::expected_with(player, options).as_ref()), "{}", player.name);
    }
}

#[test]
fn the_interpreter_finds_every_player_of_large_and_small_servers() {
    let folder = tempfile::tempdir().unwrap();
    // A tenth of them have ranks, which take a debug build a while.
    let large = (0..25_000).map(|number| match number % 10 {
        0 => ranked("EU", "Tarren Mill", &name_of(number), number.into()),
        _ => plain("EU", "Tarren Mill", &name_of(number)),
    });
    let small =
        [ranked("EU", "Kel'Thuzad", "Solo", 7), ranked("EU", "Гордунни", "Мир", 8), ranked("TW", "暗影之月", "금", 9)];
    let players: Vec<Player> = large.chain(small).collect();
    let report = generate(folder.path(), &players);
    assert_eq!(report.refused, []);
    assert_all_found(folder.path(), &players);
    for region in &report.regions {
        run("luac5.1", &[Path::new("-p"), &region.path]);
    }
}

#[test]
fn neighbours_prefixes_and_absent_names_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["A", "Ann", "Anna", "Annabel", "Zed", "Ánn", "한"];
    let players: Vec<Player> = names.iter().zip(1..).map(|(name, seed)| ranked("EU", "Area 52", name, seed)).collect();
    generate(folder.path(), &players);
    assert_all_found(folder.path(), &players);
    let absent = ["An", "Annab", "Annabela", "B", "Zee", "a", "Á", "한국", "", "0", "Ann!"];
    let queries: Vec<_> = absent.iter().map(|name| ("EU", "Area 52", *name)).collect();
    assert_eq!(answers(folder.path(), &queries), vec!["nil"; absent.len()]);
}

#[test]
fn names_of_forced_renames_are_found_and_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["狂嗨", "狂嗨2F8469", "狂嗨2F846", "狂嗨~SF", "Ann", "Ann1", "Ann 1", "Ann~", "Ann~1", "7", "]==]"];
    let players: Vec<Player> = names.iter().zip(1..).map(|(name, seed)| ranked("CN", "安苏", name, seed)).collect();
    assert_eq!(generate(folder.path(), &players).refused, []);
    assert_all_found(folder.path(), &players);
    let absent = ["Ann%", "Ann$!", "Ann~2", "狂嗨3F8469", "1"];
    let queries: Vec<_> = absent.iter().map(|name| ("CN", "安苏", *name)).collect();
    assert_eq!(answers(folder.path(), &queries), vec!["nil"; absent.len()]);
    for player in &players {
        let found = stint_warcraftlogs::lua::lookup(folder.path(), "CN", "安苏", &player.name).unwrap();
        assert_eq!(found, Found::expected(player), "{}", player.name);
    }
}

#[test]
fn a_name_does_not_end_where_a_record_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let players: Vec<Player> = (1..200).map(|seed| ranked("EU", "Aa", &name_of(seed as u32), seed)).collect();
    generate(folder.path(), &players);
    // A name followed by its class byte is not a name, whatever digit follows.
    let text = std::fs::read_to_string(database_path(folder.path(), "EU")).unwrap();
    let begin = |line: &'static str| line.bytes().position(|byte| (33..65).contains(&byte)).map(|end| &line[..=end]);
    let begins: Vec<&str> = text.leak().lines().filter_map(begin).filter(|name| !name.contains('-')).collect();
    let queries: Vec<_> = begins.iter().map(|name| ("EU", "Aa", *name)).collect();
    assert!(queries.len() > 150);
    assert_eq!(answers(folder.path(), &queries), vec!["nil"; queries.len()]);
}

#[test]
fn a_server_answers_to_each_of_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let player = ranked("EU", "Tarren Mill", "Ann", 1);
    generate(folder.path(), std::slice::from_ref(&player));
    let found = line(Found::expected(&player).as_ref());
    let known = [
        ("EU", "Tarren Mill", "Ann"),
        ("eu", "TarrenMill", "Ann"),
        ("EU", "tarren-mill", "Ann"),
        ("EU", "", "Ann-TarrenMill"),
        ("EU", "Elsewhere", "Ann-Tarren Mill"),
    ];
    assert_eq!(answers(folder.path(), &known), vec![found; known.len()]);
    let unknown =
        [("EU", "Tarren", "Ann"), ("EU", "1", "Ann"), ("US", "Tarren Mill", "Ann"), ("EU", "Tarren Mill", "Ann-Other")];
    assert_eq!(answers(folder.path(), &unknown), vec!["nil"; unknown.len()]);
}

#[test]
fn servers_that_share_their_names_are_both_searched() {
    let folder = tempfile::tempdir().unwrap();
    let (mut first, mut second) = (ranked("EU", "Pozzo", "Ann", 1), ranked("EU", "Pozzo", "Bea", 2));
    first.server.slug = "pozzo".to_owned();
    second.server.slug = "pozzo-classic".to_owned();
    let players = [first, second];
    generate(folder.path(), &players);
    assert_all_found(folder.path(), &players);
    let by_slug = [("EU", "pozzo-classic", "Ann"), ("EU", "pozzo", "Bea")];
    let found = answers(folder.path(), &by_slug);
    assert_eq!(found, ["nil".to_owned(), line(Found::expected(&players[1]).as_ref())], "a slug is as good as the name");
}

#[test]
fn more_players_than_lua_has_constants_load() {
    let folder = tempfile::tempdir().unwrap();
    let count = (1 << 18) + 10;
    let players: Vec<Player> = (0..count)
        .map(|number| Player {
            server: server(["Aa", "Bb"][number as usize % 2]),
            ..plain("EU", "Aa", &name_of(number))
        })
        .collect();
    assert_eq!(generate(folder.path(), &players).regions[0].players, u64::from(count));
    let sample: Vec<Player> = players.iter().step_by(10_007).chain(players.last()).cloned().collect();
    assert_all_found(folder.path(), &sample);
}

#[test]
fn the_reader_refuses_another_format() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), &[plain("EU", "Aa", "Ann")]);
    let path = database_path(folder.path(), "EU");
    let text = std::fs::read_to_string(&path).unwrap().replace("D.format=2", "D.format=4");
    std::fs::write(&path, text).unwrap();
    let script = folder.path().join("refused.lua");
    let program = "local folder = ...\ndofile(folder .. '/Stint/Stint.lua')\ndofile(folder .. '/Stint_EU/Stint_EU.lua')\n\
                   print(select(2, pcall(Stint.lookup, 'EU', 'Aa', 'Ann')))\n";
    std::fs::write(&script, program).unwrap();
    let printed = run("lua5.1", &[&script, folder.path()]);
    assert!(printed.contains("region EU has format 4, this reader reads formats 2 and 3: install both"), "{printed}");
    let error = format!("{:#}", stint_warcraftlogs::lua::lookup(folder.path(), "EU", "Aa", "Ann").unwrap_err());
    assert!(error.contains("Stint_EU.lua") && error.contains("format 4") && error.contains("db-generator"), "{error}");
}
