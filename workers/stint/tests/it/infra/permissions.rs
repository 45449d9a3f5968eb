//! Tests that no role may do what no code does.

use std::collections::BTreeSet;
use std::path::Path;

use hcl::Value;

use super::deployed::{Infra, WARCRAFTLOGS, attribute, module_text};

/// Actions that no code of this repository calls by the SDK, and who needs them.
const OTHERS: [(&str, &str); 14] = [
    ("iam:PassRole", "Scheduler, when a wake-up is created with its role"),
    ("kms:Decrypt", "SSM, for parameters under a key of one's own"),
    ("lambda:InvokeFunction", "Scheduler's roles"),
    ("logs:CreateLogStream", "Lambda, for the function's log"),
    ("logs:PutLogEvents", "Lambda, for the function's log"),
    ("s3:AbortMultipartUpload", "the crate object_store"),
    ("s3:DeleteObject", "the crate object_store"),
    ("s3:GetObject", "the crate object_store"),
    ("s3:ListBucket", "S3, to answer 404 instead of 403"),
    ("s3:PutObject", "the crate object_store"),
    ("sqs:DeleteMessage", "Lambda's pollers, with the function's role"),
    ("sqs:ReceiveMessage", "Lambda's pollers, with the function's role"),
    ("ssm:GetParameters", "secrets.rs, which sends the request itself"),
    ("sts:AssumeRole", "the services that the roles are for"),
];

/// The modules with roles of workers.
const MODULES: [&str; 5] = ["worker", "queue", "schedule", "warcraftlogs", "poe-stashes"];

/// The keys of conditions, which are written like permissions.
const CONDITIONS: [&str; 2] = ["aws:SourceArn", "iam:PassedToService"];

/// Returns every permission in the text, such as `sqs:SendMessage`.
fn actions(text: &str) -> BTreeSet<String> {
    let quoted = text.split('"').skip(1).step_by(2);
    let is_action = |text: &&str| {
        text.split_once(':').is_some_and(|(service, action)| {
            service.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                && action.starts_with(|first: char| first.is_ascii_uppercase())
                && action.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    };
    quoted.filter(is_action).filter(|text| !CONDITIONS.contains(text)).map(str::to_owned).collect()
}

/// Returns the SDK's name of an action: `send_message` of `sqs:SendMessage`.
fn method(action: &str) -> String {
    let name = action.split_once(':').unwrap().1;
    let mut method = String::new();
    for char in name.chars() {
        if char.is_ascii_uppercase() && !method.is_empty() {
            method.push('_');
        }
        method.push(char.to_ascii_lowercase());
    }
    method
}

/// Returns the text of all files below a folder of the repository.
fn source(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { source(&path) } else { std::fs::read_to_string(path).unwrap() }).collect()
}

#[test]
fn every_permission_is_used_by_code_or_has_a_known_user() {
    let code = source(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/aws/src"));
    let permitted: BTreeSet<String> = MODULES.into_iter().flat_map(|module| actions(&module_text(module))).collect();
    assert!(permitted.len() > 20, "{permitted:?}");
    let is_other = |action: &String| OTHERS.iter().any(|(other, _)| other == action);
    // A batch needs the permission of the single action.
    let is_called = |action: &String| {
        let method = method(action);
        code.contains(&format!(".{method}()")) || code.contains(&format!(".{method}_batch()"))
    };
    let unused: Vec<&String> = permitted.iter().filter(|action| !is_other(action) && !is_called(action)).collect();
    assert!(unused.is_empty(), "no code calls {unused:?}");
    let gone: Vec<_> = OTHERS.iter().filter(|(action, _)| !permitted.contains(*action)).collect();
    assert!(gone.is_empty(), "no role has {gone:?}");
}

/// Deleting a wake-up is an operator's command.
#[test]
fn workers_delete_no_schedule() {
    let workers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../warcraftlogs/src");
    assert!(!source(&workers).contains("wakeups.cancel("), "then the roles need scheduler:DeleteSchedule");
    assert!(!MODULES.into_iter().any(|module| module_text(module).contains("scheduler:DeleteSchedule")));
}

/// No worker may change a function, except the rule of the source document, which is made of that.
#[test]
fn only_the_documents_own_rule_may_change_a_functions_concurrency() {
    let mut infra = Infra::read(WARCRAFTLOGS);
    let granted = |infra: &Infra| {
        let is_it = |block: &&hcl::Block| block.labels().iter().any(|label| label.as_str() == "planning");
        let mut data = infra.fleet.blocks().filter(|block| block.identifier() == "data");
        let document = data.find(is_it).unwrap().clone();
        let dynamic = document.body().blocks().find(|block| block.identifier() == "dynamic").unwrap();
        let content = dynamic.body().blocks().next().unwrap();
        assert_eq!(attribute(content, "resources").unwrap().to_string(), "[\n  module.rank_fetcher.function_arn\n]");
        let actions = actions(&attribute(content, "actions").unwrap().to_string());
        assert_eq!(
            actions,
            ["lambda:GetFunctionConcurrency", "lambda:PutFunctionConcurrency"].map(str::to_owned).into()
        );
        infra.value(dynamic, "for_each").unwrap().as_array().unwrap().len()
    };
    assert_eq!(granted(&infra), 0);
    infra.variables.insert("budget_strategy".to_owned(), Value::from("worst-case"));
    assert_eq!(granted(&infra), 1);
    let text = module_text(WARCRAFTLOGS.fleet);
    assert_eq!(text.matches("lambda:PutFunctionConcurrency").count(), 1, "there is no other statement");
}
