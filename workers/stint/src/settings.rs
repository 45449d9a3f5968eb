//! Reads settings from the environment alone, and reports a setting that cannot be used.

use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, FromArgMatches, Parser};

/// Why the settings in the environment cannot be used. It names the variable.
#[derive(Debug)]
pub(crate) struct SettingsError(String);

impl std::fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

impl From<&clap::Error> for SettingsError {
    /// Drops the usage lines, which describe a command line that was never typed.
    fn from(error: &clap::Error) -> SettingsError {
        let context = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.clone()),
            Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
            _ => None,
        };
        let variable = context(ContextKind::InvalidArg)
            .and_then(|flag| Some(flag.split_once('<')?.1.split_once('>')?.0.to_owned()));
        let Some((variable, value)) = variable.zip(context(ContextKind::InvalidValue)) else {
            let text = error.render().to_string();
            return SettingsError(text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned());
        };
        let valid = || context(ContextKind::ValidValue).map(|values| format!("it is one of {values}"));
        let reason = std::error::Error::source(error).map(ToString::to_string).or_else(valid).unwrap_or_default();
        SettingsError(format!("{variable}: '{value}' cannot be used: {reason}"))
    }
}

/// A parser of settings without a command line.
#[derive(Parser)]
struct SettingsCommand<T: Args> {
    #[command(flatten)]
    settings: T,
}

/// Returns the settings from the environment, with defaults for those that are not set. An error names the variable.
pub(crate) fn from_environment<T: Args>() -> Result<T, SettingsError> {
    parsed(SettingsCommand::<T>::command())
}

/// Returns the defaults of all settings, ignoring the environment.
pub(crate) fn defaults<T: Args>() -> Result<T, SettingsError> {
    parsed(SettingsCommand::<T>::command().mut_args(|argument| argument.env(None::<&str>)))
}

fn parsed<T: Args>(command: clap::Command) -> Result<T, SettingsError> {
    let parsed = command.try_get_matches_from(["stint"]);
    let parsed = parsed.and_then(|matches| SettingsCommand::<T>::from_arg_matches(&matches));
    parsed.map(|command| command.settings).map_err(|error| SettingsError::from(&error))
}
