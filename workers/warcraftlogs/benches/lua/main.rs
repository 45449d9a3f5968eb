//! Compares the Lua database with the layout that it has to beat: size, load, memory, and the cost of a look-up in Lua
//! 5.1. `scripts/bench lua` runs it.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints, and stops at the first surprise")]

mod extras;
mod set;
mod sorted_strings;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use stint_warcraftlogs::lua::{DatabaseOptions, DatabaseWriter, Field, database_path};

use extras::{DUNGEONS, Extras};

/// Number of fresh Lua processes; the median of each figure is reported.
const RUNS: usize = 5;
/// One player in this many is looked up.
const SAMPLED: usize = 50;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    // Players without ranks are in no database.
    let mut players = set::players();
    players.retain(|player| !player.sections.is_empty());
    let per_player = |bytes: usize| bytes as f64 / players.len() as f64;
    let cells: usize = players.iter().flat_map(|player| &player.sections).map(|section| section.cells.len()).sum();
    println!("{} players, {:.2} boss cells each", players.len(), per_player(cells));
    let sorted = sorted_strings::file(&players);
    print_size("sorted strings", &sorted, per_player);

    let stint = generate(folder.path(), &players, DatabaseOptions::default(), Extras::Absent);
    print_size("Stint", &stint, per_player);
    for field in [Field::AllStars, Field::BossAllStars, Field::Score] {
        let folder = tempfile::tempdir().unwrap();
        let mut options = DatabaseOptions::default();
        options.fields.insert(field);
        let file = generate(folder.path(), &players, options, Extras::Present);
        print_size(&format!("with {field:?}"), &file, per_player);
        print_cost(field, &players, file.len() - stint.len());
    }

    let mut names = std::fs::File::create(folder.path().join("names")).unwrap();
    for place in order(players.len() / SAMPLED) {
        let player = &players[place * SAMPLED];
        writeln!(names, "Server {}\t{}", player.server, player.name).unwrap();
    }
    let peer = folder.path().join("sorted.lua");
    std::fs::write(&peer, &sorted).unwrap();
    let names = folder.path().join("names");
    let database = database_path(folder.path(), "US");
    let number = players.len().to_string();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        theirs.push(measure("sorted_strings.lua", &[&peer, &names, Path::new(&number)]));
        ours.push(measure("measure.lua", &[&folder.path().join("Stint/Stint.lua"), &database, &names]));
    }
    print_figures("sorted strings", &theirs);
    print_figures("Stint", &ours);
}

/// Returns the database of these players.
fn generate(folder: &Path, players: &[set::Player], options: DatabaseOptions, extras: Extras) -> Vec<u8> {
    let mut writer = DatabaseWriter::create_with(folder, options).unwrap();
    for chunk in players.chunks(2_000) {
        let documents: Vec<(u64, String)> = chunk.iter().map(|player| (player.id, player.document(extras))).collect();
        writer.push_documents(documents).unwrap();
    }
    let report = writer.finish("2026-11-21T00:00:00Z".parse().unwrap()).unwrap();
    assert_eq!((report.regions[0].players, report.refused_players), (players.len() as u64, 0));
    std::fs::read(database_path(folder, "US")).unwrap()
}

/// Prints the cost of each entry of a field.
fn print_cost(field: Field, players: &[set::Player], bytes: usize) {
    let sections = || players.iter().flat_map(|player| &player.sections);
    let entries: usize = match field {
        Field::AllStars => sections().map(|section| section.specs().len()).sum(),
        Field::Score => sections().filter(|section| section.raid == DUNGEONS).map(|section| section.cells.len()).sum(),
        _ => sections().map(|section| section.cells.len()).sum(),
    };
    let (of_player, of_entry) = (entries as f64 / players.len() as f64, bytes as f64 / entries as f64);
    println!("{:<16} {of_player:.2} entries a player, {of_entry:.2} bytes each", "");
}

/// Prints the median of each figure, and the lowest.
fn print_figures(title: &str, runs: &[BTreeMap<String, f64>]) {
    println!("-- {title}");
    for name in runs[0].keys() {
        let mut figures: Vec<f64> = runs.iter().map(|run| run[name]).collect();
        figures.sort_by(f64::total_cmp);
        println!("{name:<16} {:>10.3} (lowest {:.3})", figures[RUNS / 2], figures[0]);
    }
}

fn print_size(name: &str, file: &[u8], per_player: impl Fn(usize) -> f64) {
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
    deflate.write_all(file).unwrap();
    let zipped = deflate.finish().unwrap().len();
    println!("{name:<16} {:>6.2} bytes a player, {:.2} zipped", per_player(file.len()), per_player(zipped));
}

/// The numbers below `end`, shuffled.
fn order(end: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..end).collect();
    let mut dice = set::SplitMix64(11);
    for place in (1..end).rev() {
        order.swap(place, dice.below(place as u64 + 1) as usize);
    }
    order
}

fn measure(script: &str, arguments: &[&Path]) -> BTreeMap<String, f64> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/lua").join(script);
    let output = Command::new("lua5.1").arg(script).args(arguments).output();
    let output = output.expect("lua5.1 is installed (Debian: apt-get install lua5.1)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let figure = |line: &str| line.split_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap()));
    text.lines().filter_map(figure).collect()
}
