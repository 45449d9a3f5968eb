//! The settings of the AWS adapters. Region, credentials and `AWS_ENDPOINT_URL` are the SDK's own.

use std::str::FromStr;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader};
use clap::Args;
use stint_core::worker::WorkerId;

/// The settings of the AWS adapters.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "AWS")]
pub struct AwsSettings {
    /// The name of a queue in SQS. `{}` stands for the queue's own name.
    #[arg(long, env = "STINT_AWS_QUEUE", value_name = "STINT_AWS_QUEUE", default_value = "{}")]
    pub aws_queue: Template,

    /// The name in SQS of a queue's dead-letter queue. `{}` stands for the queue's own name. The queue's redrive policy
    /// must name the same one.
    #[arg(
        long,
        env = "STINT_AWS_DEAD_LETTERS",
        value_name = "STINT_AWS_DEAD_LETTERS",
        default_value = "{}-dead-letters"
    )]
    pub aws_dead_letters: Template,

    /// The ARN of a worker's function, as in `arn:aws:lambda:eu-west-1:123456789012:function:stint-{fleet}-{worker}`. `{fleet}`
    /// stands for the name of the worker's fleet, `{worker}` for its own name. Needed for wake-ups and for the throttle.
    #[arg(long, env = "STINT_AWS_FUNCTION", value_name = "STINT_AWS_FUNCTION")]
    pub aws_function: Option<FunctionTemplate>,

    /// The group of schedules in EventBridge Scheduler that contains the wake-ups of one fleet, and nothing else.
    #[arg(long, env = "STINT_AWS_SCHEDULE_GROUP", value_name = "STINT_AWS_SCHEDULE_GROUP", default_value = "stint")]
    pub aws_schedule_group: String,

    /// The group of schedules in EventBridge Scheduler that contains the recurring schedules of that fleet, which infrastructure
    /// creates. `stint status` lists them; no worker needs it.
    #[arg(long, env = "STINT_AWS_RECURRING_GROUP", value_name = "STINT_AWS_RECURRING_GROUP")]
    pub aws_recurring_group: Option<String>,

    /// The ARN of the role with which EventBridge Scheduler calls the functions. Needed for wake-ups.
    #[arg(long, env = "STINT_AWS_SCHEDULER_ROLE", value_name = "STINT_AWS_SCHEDULER_ROLE")]
    pub aws_scheduler_role: Option<String>,
}

impl AwsSettings {
    /// Returns the functions' ARNs. An error says which setting is missing and what to set it to.
    pub fn function(&self) -> Result<FunctionTemplate, String> {
        let missing = "STINT_AWS_FUNCTION is not set: name the ARN of the workers' functions, with {fleet} and {worker} where \
                       the names of a worker's fleet and of the worker belong";
        self.aws_function.clone().ok_or_else(|| missing.to_owned())
    }

    /// Returns the role of the schedules. An error says which setting is missing and what to set it to.
    pub fn scheduler_role(&self) -> Result<String, String> {
        let missing = "STINT_AWS_SCHEDULER_ROLE is not set: name the ARN of a role that may invoke the functions";
        self.aws_scheduler_role.clone().ok_or_else(|| missing.to_owned())
    }
}

/// Returns what finds region and credentials as every AWS tool does: environment, profile, role. Credentials are loaded
/// when the first call needs them.
pub(crate) fn of_environment(timeouts: TimeoutConfig) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(timeouts)
}

/// The server of DynamoDB that tests may use; `None` if there is none.
#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
pub(crate) fn dynamodb_of_tests() -> Option<String> {
    std::env::var("STINT_DYNAMODB_URL").ok()
}

/// A name that contains a placeholder for another name, written `{}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    before: String,
    after: String,
}

impl Template {
    /// Returns the text with `name` in place of the placeholder.
    pub fn fill(&self, name: &str) -> String {
        [&self.before, name, &self.after].concat()
    }
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Template, String> {
        match text.split_once("{}") {
            Some((before, behind)) if !behind.contains("{}") => {
                Ok(Template { before: before.to_owned(), after: behind.to_owned() })
            }
            _ => Err(format!("'{text}' needs {{}} once, where the name belongs")),
        }
    }
}

/// The placeholders for the name of a worker's fleet and for the worker's own name.
const FLEET: &str = "{fleet}";
const WORKER: &str = "{worker}";

/// The ARN of a function with placeholders for the name of a worker's fleet and for the worker's own name. It must have
/// both, so that no two workers share a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionTemplate(String);

impl FunctionTemplate {
    /// Returns the ARN of the function of `worker`.
    pub fn fill(&self, worker: &WorkerId) -> String {
        self.0.replace(FLEET, &worker.fleet).replace(WORKER, &worker.name)
    }

    /// Returns the fleet of the worker `name` whose function has this ARN, or `None` if the ARN does not match.
    pub fn fleet<'a>(&self, name: &str, arn: &'a str) -> Option<&'a str> {
        let named = self.0.replace(WORKER, name);
        let (before, behind) = named.split_once(FLEET)?;
        arn.strip_prefix(before)?.strip_suffix(behind).filter(|fleet| !fleet.is_empty())
    }
}

impl FromStr for FunctionTemplate {
    type Err = String;

    /// Lambda would accept a bare name, but the target of a schedule must be an ARN.
    fn from_str(text: &str) -> Result<FunctionTemplate, String> {
        if !text.starts_with("arn:") {
            return Err(format!("'{text}' is not an ARN"));
        }
        if [FLEET, WORKER].iter().any(|place| text.matches(place).count() != 1) || text.contains("{}") {
            return Err(format!(
                "'{text}' needs {FLEET} and {WORKER} once each, where the names of a worker's fleet and of the worker belong: \
                 workers of two fleets may have the same name"
            ));
        }
        Ok(FunctionTemplate(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        settings: AwsSettings,
    }

    #[test]
    fn a_missing_setting_is_named_with_its_remedy() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:stint-{fleet}-{worker}";
        let settings = Command::parse_from(["stint", "--aws-function", arn]).settings;
        assert_eq!(settings.aws_queue.fill("work"), "work");
        assert_eq!(settings.aws_dead_letters.fill("work"), "work-dead-letters");
        assert_eq!(settings.function(), arn.parse());
        assert!(settings.scheduler_role().unwrap_err().starts_with("STINT_AWS_SCHEDULER_ROLE is not set: name"));
        let settings = AwsSettings { aws_function: None, ..settings };
        assert!(settings.function().unwrap_err().starts_with("STINT_AWS_FUNCTION is not set: name"));
    }

    #[test]
    fn a_function_belongs_to_one_worker_of_one_fleet() {
        let template: FunctionTemplate = "arn:function:stint-{fleet}-{worker}-live".parse().unwrap();
        let filled = template.fill(&WorkerId::new("poe-stashes", "follower"));
        assert_eq!(filled, "arn:function:stint-poe-stashes-follower-live");
        assert_eq!(template.fleet("follower", &filled), Some("poe-stashes"));
        for stranger in ["follower", "arn:function:stint--follower-live", "arn:function:stint-poe-stashes-watcher-live"]
        {
            assert_eq!(template.fleet("follower", stranger), None, "{stranger}");
        }
    }

    #[test]
    fn a_template_has_one_place() {
        for text in ["", "stint", "{}-{}"] {
            assert!(text.parse::<Template>().unwrap_err().contains("{} once"), "{text}");
        }
    }

    #[test]
    fn a_template_by_which_two_workers_would_share_a_function_is_refused() {
        let refused = |text: &str| text.parse::<FunctionTemplate>().unwrap_err();
        assert!(refused("stint-{fleet}-{worker}").contains("not an ARN"));
        for name in
            ["stint", "stint-{}", "stint-{worker}", "stint-{fleet}", "stint-{fleet}-{}", "{worker}-{fleet}-{worker}"]
        {
            let reason = refused(&format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}"));
            assert!(reason.contains("needs {fleet} and {worker} once each"), "{reason}");
        }
    }
}
