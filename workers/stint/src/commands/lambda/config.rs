//! The settings of a function.

use clap::{Arg, Args, Command, FromArgMatches};
use secrecy::{ExposeSecret, SecretString};

use crate::fleets::settings::{FleetSettings, SettingsParser};
use crate::settings::SettingsError;
use crate::wiring::BackendSettings;

/// The settings that make this process an AWS Lambda function.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Lambda")]
pub(crate) struct LambdaSettings {
    /// The worker that this function runs, as FLEET/WORKER.
    #[arg(long, env = "STINT_WORKER", value_name = "STINT_WORKER")]
    pub(crate) worker: Option<String>,

    /// SSM parameters with further settings, by their full names, separated by commas. The last part of a parameter's
    /// name is the name of the setting. They are read when the first event arrives.
    #[arg(long = "aws-secrets", env = "STINT_AWS_SECRETS", value_name = "STINT_AWS_SECRETS", value_delimiter = ',')]
    pub(crate) secrets: Vec<String>,

    /// The address from which events are read. Lambda sets it.
    #[arg(long = "aws-lambda-runtime-api", env = "AWS_LAMBDA_RUNTIME_API")]
    pub(crate) runtime_api: Option<String>,
}

/// The settings of a function's backends and of its worker's fleet. They come from the environment alone, because a function
/// has no command line.
pub(crate) struct FunctionSettings {
    pub(crate) backends: BackendSettings,
    pub(crate) fleets: FleetSettings,
}

impl FunctionSettings {
    /// Returns the settings from the environment, overridden by `secrets`: pairs of variable name and value. An error
    /// names the variable and never its value.
    pub(crate) fn from_environment<'a>(
        fleet: &SettingsParser,
        secrets: impl IntoIterator<Item = (&'a str, &'a SecretString)>,
    ) -> Result<FunctionSettings, String> {
        let command = (fleet.augment)(BackendSettings::augment_args(Command::new("stint")));
        let mut arguments = vec!["stint".to_owned()];
        for (variable, value) in secrets {
            let known = command.get_arguments().find(|known| known.get_env().is_some_and(|name| name == variable));
            let flag = known.and_then(Arg::get_long);
            let flag = flag.ok_or_else(|| format!("STINT_AWS_SECRETS: there is no setting {variable}"))?;
            arguments.push(format!("--{flag}={}", value.expose_secret()));
        }
        let unusable = |error: &clap::Error| SettingsError::from(error).to_string();
        let matches = command.try_get_matches_from(arguments).map_err(|error| unusable(&error))?;
        let backends = BackendSettings::from_arg_matches(&matches).map_err(|error| unusable(&error))?;
        let fleets = FleetSettings::read(std::slice::from_ref(fleet), &matches).map_err(|error| error.to_string())?;
        Ok(FunctionSettings { backends, fleets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLEET: SettingsParser = SettingsParser::of::<stint_warcraftlogs::config::Settings>();

    #[test]
    fn a_secret_is_a_setting_that_is_read_later() {
        let (address, keys) = (SecretString::from("mongodb://name:hidden@host/stint"), SecretString::from("id:hidden"));
        let secrets = [("MONGODB_URI", &address), ("WCL_KEYS", &keys)];
        let settings = FunctionSettings::from_environment(&FLEET, secrets).unwrap();
        assert_eq!(settings.fleets.get::<stint_warcraftlogs::config::Settings>().wcl_keys[0].id.0, "id");
        assert_eq!(settings.backends.mongo.uri().unwrap().expose_secret(), address.expose_secret());
    }

    #[test]
    fn a_secret_that_cannot_be_used_is_named_and_not_shown() {
        let secret = SecretString::from("hidden");
        let error = |variable| FunctionSettings::from_environment(&FLEET, [(variable, &secret)]).err().unwrap();
        assert_eq!(error("OTHER"), "STINT_AWS_SECRETS: there is no setting OTHER");
        let error = error("WCL_KEYS");
        assert!(error.starts_with("WCL_KEYS: ") && !error.contains("hidden"), "{error}");
    }
}
