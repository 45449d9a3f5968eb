//! Selects the settings that `--help` shows: those that every fleet shares, and those of the named fleets.

use std::ffi::OsString;

use clap::Command;

use crate::fleets::FLEETS;
use crate::fleets::fleet::Fleet;

/// The commands that accept the settings of fleets.
const WITH_SETTINGS: [&str; 2] = ["up", "run"];

/// Hides the settings of fleets that no argument names. They are still accepted.
pub(crate) fn of_named_fleets(command: Command, arguments: &[OsString]) -> Command {
    let is_named = |fleet: &&dyn Fleet| {
        let words = arguments.iter().filter_map(|argument| argument.to_str());
        let mut names = words.map(|word| word.split_once('/').map_or(word, |(name, _)| name));
        names.any(|name| name == fleet.name() || name == fleet.alias())
    };
    let hidden: Vec<&dyn Fleet> = FLEETS.iter().copied().filter(|fleet| !is_named(fleet)).collect();
    let settings = hidden.iter().map(|fleet| (fleet.settings().augment)(Command::new("settings")));
    let names: Vec<String> = settings.flat_map(|command| ids(&command).collect::<Vec<_>>()).collect();
    let hide = |command: Command| {
        let command = command.mut_args(|argument| {
            let is_hidden = names.iter().any(|name| argument.get_id() == name.as_str());
            if is_hidden { argument.hide(true) } else { argument }
        });
        if hidden.is_empty() { command } else { with_hint(command) }
    };
    WITH_SETTINGS.iter().fold(command, |command, name| command.mut_subcommand(name, hide))
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
    fn a_setting_of_a_fleet_that_is_not_named_is_taken() {
        let arguments: Vec<OsString> = ["stint", "up", "--sample-place", "here"].map(Into::into).to_vec();
        assert!(of_named_fleets(Cli::command(), &arguments).try_get_matches_from(arguments).is_ok());
    }
}
