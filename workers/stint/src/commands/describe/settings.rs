//! Collects every setting from the structs that parse them, so that each setting's text is written once.

use clap::builder::StyledStr;
use clap::{Arg, Args, Command, ValueHint};
use serde::Serialize;
use stint_host::config::{HttpSettings, LogSettings, TelemetrySettings};

#[cfg(feature = "aws")]
use crate::commands::lambda::LambdaSettings;
use crate::config::HomeSettings;
use crate::fleets::settings::UnparsedSettings;
use crate::wiring::BackendSettings;

/// The settings under one heading.
#[derive(Serialize)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) settings: Vec<Setting>,
}

/// One setting.
#[derive(Serialize)]
pub(super) struct Setting {
    /// The environment variable.
    pub(super) variable: String,
    /// The flag, on the commands that accept it.
    pub(super) flag: String,
    pub(super) default: Option<String>,
    pub(super) help: String,
    /// Whether the value must never be shown or committed.
    pub(super) secret: bool,
    /// Whether the value is secret only when it contains a user name or a password.
    #[serde(skip)]
    pub(super) address: bool,
    /// The possible values, if there is a short list of them.
    pub(super) values: Vec<Value>,
}

/// One possible value of a setting.
#[derive(Serialize)]
pub(super) struct Value {
    pub(super) value: String,
    pub(super) help: String,
}

/// Returns all settings: those of the installation, of the fleets, and of logging.
pub(super) fn sections() -> Vec<Section> {
    let commands = [
        HomeSettings::augment_args(Command::new("stint")),
        UnparsedSettings::augment_args(Command::new("stint")),
        BackendSettings::augment_args(Command::new("stint")),
        #[cfg(feature = "aws")]
        LambdaSettings::augment_args(Command::new("stint")),
        HttpSettings::augment_args(Command::new("stint")),
        LogSettings::augment_args(Command::new("stint")),
        TelemetrySettings::augment_args(Command::new("stint")),
    ];
    let mut sections: Vec<Section> = Vec::new();
    for argument in commands.iter().flat_map(Command::get_arguments) {
        let Some(setting) = Setting::new(argument) else { continue };
        let title = argument.get_help_heading().unwrap_or("Settings");
        match sections.iter_mut().find(|section| section.title == title) {
            Some(section) => section.settings.push(setting),
            None => sections.push(Section { title: title.to_owned(), settings: vec![setting] }),
        }
    }
    sections
}

impl Setting {
    /// Returns `None` for an argument without an environment variable, which is not a setting.
    fn new(argument: &Arg) -> Option<Setting> {
        let variable = argument.get_env()?.to_str()?.to_owned();
        let defaults: Vec<String> =
            argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
        // Values such as `true` and `false` explain themselves and get no description.
        let values = argument.get_possible_values().into_iter().filter_map(|value| {
            Some(Value { value: value.get_name().to_owned(), help: value.get_help().map(sentence)? })
        });
        Some(Setting {
            variable,
            flag: format!("--{}", argument.get_long().unwrap_or_default()),
            default: Some(defaults.join(",")).filter(|default| !default.is_empty()),
            help: argument.get_long_help().or_else(|| argument.get_help()).map(sentence).unwrap_or_default(),
            secret: argument.is_hide_env_values_set(),
            address: argument.get_value_hint() == ValueHint::Url,
            values: values.collect(),
        })
    }
}

/// Adds back the full stop that clap removes from one-sentence texts.
fn sentence(text: &StyledStr) -> String {
    let text = text.to_string();
    let text = text.trim();
    if text.is_empty() || text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_documented_and_secrets_are_marked() {
        let sections = sections();
        let settings = || sections.iter().flat_map(|section| &section.settings);
        let undocumented: Vec<&str> =
            settings().filter(|setting| setting.help.len() < 10).map(|setting| setting.variable.as_str()).collect();
        assert_eq!(undocumented, [""; 0]);
        let secret: Vec<&str> =
            settings().filter(|setting| setting.secret).map(|setting| setting.variable.as_str()).collect();
        let (own, telemetry) = (
            ["WCL_KEYS", "LUA_REPOSITORY", "GIT_TOKEN", "POE_CLIENT_SECRET", "ALARM_WEBHOOK_URL", "MONGODB_URI"],
            ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"],
        );
        assert_eq!(secret, [&own[..], &telemetry].concat());
    }

    #[test]
    fn a_flag_is_its_variable_in_lower_case() {
        for setting in sections().iter().flat_map(|section| &section.settings) {
            let flag = setting.variable.to_ascii_lowercase().replace('_', "-");
            let short = setting.flag.trim_start_matches("--");
            assert!(flag == short || flag == format!("stint-{short}"), "{}: {}", setting.variable, setting.flag);
        }
    }
}
