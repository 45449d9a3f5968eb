//! Selects the settings of fleets that a command line is read for: those of the fleets that it names. The settings of other
//! fleets are neither shown by `--help` nor checked.

use std::ffi::OsString;

use clap::{ArgMatches, Command, value_parser};

use crate::fleets::fleet::Fleet;
use crate::fleets::{FLEETS, FleetWorker, find_fleet};

/// The commands that accept the settings of fleets.
const WITH_SETTINGS: [&str; 2] = ["up", "run"];

/// Leaves out the settings of fleets that `arguments` do not name. Their flags are still accepted, but not their variables.
pub(crate) fn of_named_fleets(command: Command, arguments: &[OsString]) -> Command {
    if !arguments.iter().any(|argument| WITH_SETTINGS.iter().any(|name| argument == name)) {
        return command;
    }
    let parsed = hide_settings(command.clone(), FLEETS).try_get_matches_from(arguments);
    // What cannot be parsed ends in help or an error, for which any word may name a fleet.
    let named = parsed.map_or_else(|_| mentioned(arguments), |matches| fleets_of(&matches));
    let is_named = |fleet: &dyn Fleet| named.iter().any(|named| named.name() == fleet.name());
    let others: Vec<_> = FLEETS.iter().copied().filter(|fleet| !is_named(*fleet)).collect();
    let command = hide_settings(command, &others);
    if others.is_empty() { command } else { each(command, with_hint) }
}

/// Returns the fleets that a parsed command line is about.
fn fleets_of(matches: &ArgMatches) -> Vec<&'static dyn Fleet> {
    match matches.subcommand() {
        Some(("up", matches)) => {
            let named = matches.get_many::<&'static dyn Fleet>("fleets");
            named.map_or_else(|| FLEETS.to_vec(), |named| named.copied().collect())
        }
        Some(("run", matches)) => matches.get_one::<FleetWorker>("worker").iter().map(|worker| worker.fleet).collect(),
        _ => Vec::new(),
    }
}

/// Returns the fleets that any argument mentions.
fn mentioned(arguments: &[OsString]) -> Vec<&'static dyn Fleet> {
    let words = arguments.iter().filter_map(|argument| argument.to_str());
    words.filter_map(|word| find_fleet(word.split_once('/').map_or(word, |(name, _)| name))).collect()
}

/// Hides the settings of `fleets`, and takes any value for them and none from the environment.
fn hide_settings(command: Command, fleets: &[&'static dyn Fleet]) -> Command {
    let settings = fleets.iter().map(|fleet| (fleet.settings().augment)(Command::new("settings")));
    let names: Vec<String> = settings.flat_map(|command| ids(&command).collect::<Vec<_>>()).collect();
    each(command, |command| {
        command.mut_args(|argument| match names.iter().any(|name| argument.get_id() == name.as_str()) {
            true if argument.get_action().takes_values() => {
                argument.hide(true).env(None::<&str>).value_parser(value_parser!(OsString))
            }
            true => argument.hide(true).env(None::<&str>),
            false => argument,
        })
    })
}

/// Changes the commands that accept the settings of fleets.
fn each(command: Command, change: impl Fn(Command) -> Command) -> Command {
    WITH_SETTINGS.iter().fold(command, |command, name| command.mut_subcommand(name, &change))
}

fn ids(command: &Command) -> impl Iterator<Item = String> {
    command.get_arguments().map(|argument| argument.get_id().to_string())
}

/// Adds a note on how to show the settings of a fleet.
fn with_hint(command: Command) -> Command {
    let named = FLEETS.iter().map(|fleet| format!("\n  stint up {} --help", fleet.alias()));
    let hint = format!("The settings of a fleet are shown where it is named:{}", named.collect::<String>());
    let text = command.get_after_help().map(|text| format!("{text}\n\n{hint}")).unwrap_or(hint);
    command.after_help(text)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    /// Returns the output of a command's `--help`.
    fn help(arguments: &[&str]) -> String {
        let arguments: Vec<OsString> = ["stint"].iter().chain(arguments).chain(&["--help"]).map(Into::into).collect();
        let command = of_named_fleets(Cli::command(), &arguments);
        command.try_get_matches_from(arguments).unwrap_err().to_string()
    }

    #[test]
    fn only_the_settings_of_named_fleets_are_shown() {
        let shared = help(&["up"]);
        assert!(shared.contains("--profile") && shared.contains("stint up smp --help"), "{shared}");
        for fleet in FLEETS {
            let named = help(&["up", fleet.alias()]);
            let settings = (fleet.settings().augment)(Command::new("settings"));
            for argument in settings.get_arguments() {
                let flag = format!("--{} ", argument.get_long().unwrap());
                assert!(named.contains(&flag) && !shared.contains(&flag), "{flag}: {named}");
            }
        }
        let worker = help(&["run", "sample/sampler"]);
        assert!(worker.contains("--sample-place") && !worker.contains("--wcl-keys"), "{worker}");
    }

    #[test]
    fn a_setting_of_an_unnamed_fleet_is_accepted() {
        let arguments: Vec<OsString> = ["stint", "up", "--sample-place", "here"].map(Into::into).to_vec();
        assert!(of_named_fleets(Cli::command(), &arguments).try_get_matches_from(arguments).is_ok());
    }
}
