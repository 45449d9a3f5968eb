//! Snapshots of `--help`. A new command must be added to the list, and its text read before the snapshot is accepted.

use crate::program::Program;

/// The part that every help text has. It is shown once, in `stint --help`.
const JSON: &str = "      --json\n          Print one JSON object on stdout, and nothing else there\n\n";

fn help(command: &str) -> String {
    let program = Program::new();
    let arguments: Vec<&str> = command.split(' ').filter(|word| !word.is_empty()).chain(["--help"]).collect();
    program.redact(&program.succeed(&arguments))
}

/// Returns the help text without the options of the whole program.
fn own(command: &str) -> String {
    let text = help(command).replace(JSON, "");
    let (own, general) = text.split_once("\nInstallation:").unwrap();
    let examples = general.find("\nExample").map_or("", |start| &general[start..]);
    let own = own.replace("  -h, --help\n          Print help (see a summary with '-h')\n", "");
    format!("{}\n{examples}", own.trim_end().trim_end_matches("Options:").trim_end())
}

#[test]
fn the_program() {
    insta::assert_snapshot!(help(""));
}

#[test]
fn every_command_for_operators() {
    let commands = [
        "status",
        "wcl keys",
        "wcl keys pause",
        "wcl keys resume",
        "throttle",
        "throttle show",
        "throttle set",
        "throttle pause",
        "throttle resume",
        "wcl rules",
        "wcl rules list",
        "wcl rules add",
        "wcl rules remove",
        "wcl raids",
        "queue",
        "queue list",
        "queue peek",
        "queue redrive",
        "queue purge",
        "wcl refresh",
        "wcl show",
        "wcl lookup",
        "wcl unpack",
        "wcl publish",
        "data",
        "data import wcl",
        "data export wcl",
        "check",
        "backup",
        "restore",
        "describe",
        "simulate",
    ];
    for command in commands {
        insta::assert_snapshot!(command.replace(' ', "_"), own(command));
    }
}

#[test]
fn the_text_fits_a_terminal() {
    for command in [
        "",
        "demo",
        "up",
        "run",
        "upstream",
        "upstream poe-stashes",
        "wcl rules add",
        "data import wcl",
        "up wcl",
        "run poe/watcher",
        "check",
        "restore",
    ] {
        let text = help(command);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{command}: {text}");
    }
}
