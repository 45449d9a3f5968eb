//! The settings of the AWS adapters. Region, credentials and `AWS_ENDPOINT_URL` are the SDK's own.

use std::str::FromStr;

use clap::Args;

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

    /// The ARN of a worker's function, as in `arn:aws:lambda:eu-west-1:123456789012:function:stint-{}`. `{}` stands for
    /// the worker's name. Needed for wake-ups and for the throttle.
    #[arg(long, env = "STINT_AWS_FUNCTION", value_name = "STINT_AWS_FUNCTION", value_parser = parse_function)]
    pub aws_function: Option<Template>,

    /// The group of schedules in EventBridge Scheduler that contains the fleet's wake-ups, and nothing else.
    #[arg(long, env = "STINT_AWS_SCHEDULE_GROUP", value_name = "STINT_AWS_SCHEDULE_GROUP", default_value = "stint")]
    pub aws_schedule_group: String,

    /// The ARN of the role with which EventBridge Scheduler calls the functions. Needed for wake-ups.
    #[arg(long, env = "STINT_AWS_SCHEDULER_ROLE", value_name = "STINT_AWS_SCHEDULER_ROLE")]
    pub aws_scheduler_role: Option<String>,
}

impl AwsSettings {
    /// Returns the functions' ARNs. An error says which setting is missing and what to set it to.
    pub fn function(&self) -> Result<Template, String> {
        let missing = "STINT_AWS_FUNCTION is not set: name the ARN of the workers' functions, with {} for the worker";
        self.aws_function.clone().ok_or_else(|| missing.to_owned())
    }

    /// Returns the role of the schedules. An error says which setting is missing and what to set it to.
    pub fn scheduler_role(&self) -> Result<String, String> {
        let missing = "STINT_AWS_SCHEDULER_ROLE is not set: name the ARN of a role that may invoke the functions";
        self.aws_scheduler_role.clone().ok_or_else(|| missing.to_owned())
    }
}

/// A name that contains a placeholder for another name, written `{}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    before: String,
    behind: String,
}

impl Template {
    /// Returns the text with `name` in place of the placeholder.
    pub fn fill(&self, name: &str) -> String {
        [&self.before, name, &self.behind].concat()
    }

    /// Returns the name in a filled text, or `None` if the text does not match the template.
    pub fn read<'a>(&self, filled: &'a str) -> Option<&'a str> {
        filled.strip_prefix(self.before.as_str())?.strip_suffix(self.behind.as_str()).filter(|name| !name.is_empty())
    }
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Template, String> {
        match text.split_once("{}") {
            Some((before, behind)) if !behind.contains("{}") => {
                Ok(Template { before: before.to_owned(), behind: behind.to_owned() })
            }
            _ => Err(format!("'{text}' needs {{}} once, where the name belongs")),
        }
    }
}

/// Lambda would accept a bare name, but the target of a schedule must be an ARN.
fn parse_function(text: &str) -> Result<Template, String> {
    if text.starts_with("arn:") { text.parse() } else { Err(format!("'{text}' is not an ARN")) }
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
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:stint-{}";
        let settings = Command::parse_from(["stint", "--aws-function", arn]).settings;
        assert_eq!(settings.aws_queue.fill("work"), "work");
        assert_eq!(settings.aws_dead_letters.fill("work"), "work-dead-letters");
        assert_eq!(settings.function(), arn.parse());
        assert!(settings.scheduler_role().unwrap_err().starts_with("STINT_AWS_SCHEDULER_ROLE is not set: name"));
        let settings = AwsSettings { aws_function: None, ..settings };
        assert!(settings.function().unwrap_err().starts_with("STINT_AWS_FUNCTION is not set: name"));
    }

    #[test]
    fn a_template_takes_a_name_in_and_gives_it_back() {
        let template: Template = "stint-{}-live".parse().unwrap();
        assert_eq!(template.fill("reviver"), "stint-reviver-live");
        assert_eq!(template.read("stint-reviver-live"), Some("reviver"));
        for stranger in ["reviver", "stint--live", "other-reviver-live", "stint-reviver"] {
            assert_eq!(template.read(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn a_template_has_one_place() {
        for text in ["", "stint", "{}-{}"] {
            assert!(text.parse::<Template>().unwrap_err().contains("{} once"), "{text}");
        }
        assert!(parse_function("stint-{}").unwrap_err().contains("not an ARN"));
        assert!(parse_function("arn:aws:lambda:eu-west-1:123456789012:function:stint-{}").is_ok());
    }
}
