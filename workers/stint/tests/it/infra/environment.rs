//! Tests that the program starts with the environment that Terraform gives a function.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hcl::eval::Evaluate;
use hcl::{Map, Value, value};
use stint_runtime_api::{InvokeError, Launch, ProcessFunction};

use super::deployed::{
    Deployment, Infra, POE_STASHES, WARCRAFTLOGS, attribute, body, context, field, labelled, module_text, text, text_of,
};
use crate::lambda_fleet::{clock, run, tick};
use crate::program::Program;

/// The parts of a function that are tested here.
struct Deployed {
    fleet: &'static str,
    worker: String,
    secrets: BTreeSet<String>,
    variables: BTreeMap<String, String>,
}

/// Returns every function of both fleets in the installation with this prefix.
fn deployed(prefix: &str) -> Vec<Deployed> {
    [WARCRAFTLOGS, POE_STASHES].into_iter().flat_map(|deployment| deployed_of(deployment, prefix)).collect()
}

fn deployed_of(Deployment { fleet, .. }: Deployment, prefix: &str) -> Vec<Deployed> {
    let mut infra = Infra::of(&module_text(fleet), prefix);
    let given = [
        ("lua_repository", "https://example.org/databases.git"),
        ("client_id", "shop"),
        ("contact", "you@example.org"),
        ("bucket", "pages"),
    ];
    infra.variables.extend(given.map(|(name, value)| (name.to_owned(), value.into())));
    let common = field(&infra.locals(), "fleet").clone();
    let workers = infra.calls("worker").map(|(_, call)| infra.shown(call, "name"));
    let function = |worker: String| {
        let secrets = infra.secrets(&worker);
        let variables = of_the_module(&worker, &secrets, &common);
        Deployed { fleet, worker, secrets, variables }
    };
    workers.map(function).collect()
}

/// Returns the environment that `modules/worker` adds to what all workers of the fleet share.
fn of_the_module(worker: &str, secrets: &BTreeSet<String>, common: &Value) -> BTreeMap<String, String> {
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let mut context = context(value!({ fleet = (common.clone()), name = (worker), secrets = (secrets) }));
    let module = body(&text("modules/worker/main.tf"));
    let locals = module.blocks().find(|block| block.identifier() == "locals").unwrap().body().attributes();
    let local: Map<String, Value> =
        locals.map(|local| (local.key().to_owned(), local.expr().evaluate(&context).unwrap())).collect();
    context.declare_var("local", Value::Object(local));
    let (_, function) = labelled(&module, "resource").find(|(kind, _)| kind == "aws_lambda_function").unwrap();
    let environment = function.body().blocks().find(|block| block.identifier() == "environment").unwrap();
    let variables = attribute(environment, "variables").unwrap().evaluate(&context).unwrap();
    variables.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text_of(value))).collect()
}

/// A misspelt setting would be ignored silently.
#[test]
fn what_is_set_is_a_setting() {
    let description = Program::new().json(&["describe"]);
    let sections = description["settings"].as_array().unwrap().iter();
    let settings = sections.flat_map(|section| section["settings"].as_array().unwrap());
    let described: BTreeSet<&str> = settings.map(|setting| setting["variable"].as_str().unwrap()).collect();
    let set: BTreeSet<String> =
        deployed("stint").into_iter().flat_map(|function| function.variables.into_keys()).collect();
    assert!(set.len() > 15, "{set:?}");
    for name in set {
        // This one is a setting of the allocator.
        let is_known = described.contains(name.as_str()) || name == "MIMALLOC_ALLOW_THP";
        assert!(is_known, "infra/ sets {name}, which is no setting");
    }
}

#[test]
fn queues_and_functions_are_named_after_their_installation() {
    for (prefix, queue) in [("stint", "{}"), ("second", "second-{}")] {
        for function in deployed(prefix) {
            assert_eq!(function.variables["STINT_AWS_QUEUE"], queue);
            assert_eq!(function.variables["STINT_AWS_DEAD_LETTERS"], format!("{queue}-dead-letters"));
            if let Some(arn) = function.variables.get("STINT_AWS_FUNCTION") {
                let name = format!("{prefix}-{{fleet}}-{{worker}}");
                assert_eq!(arn, &format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}"));
            }
        }
    }
}

#[test]
fn a_function_knows_the_parameters_with_its_secrets() {
    for function in deployed("second") {
        let named: BTreeSet<&str> = function.variables["STINT_AWS_SECRETS"].split(',').collect();
        let permitted: BTreeSet<String> =
            function.secrets.iter().map(|name| format!("/second/{}/{name}", function.fleet)).collect();
        assert!(!permitted.is_empty(), "{}", function.worker);
        assert_eq!(named, permitted.iter().map(String::as_str).collect(), "{}", function.worker);
        for secret in &function.secrets {
            assert!(!function.variables.contains_key(secret), "{} has {secret} for all to see", function.worker);
        }
    }
}

/// The program starts, up to the point where it reads its secrets, which do not exist here.
#[test]
fn every_function_starts_with_its_environment() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("bootstrap");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_stint"), &program).unwrap();
    run(async {
        for Deployed { fleet, worker, mut variables, .. } in deployed("stint") {
            // The variables that Lambda adds. The endpoint is unreachable, because there is no AWS.
            let further = [
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ACCESS_KEY_ID", "id"),
                ("AWS_SECRET_ACCESS_KEY", "secret"),
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
            ];
            variables.extend(further.map(|(name, value)| (name.to_owned(), value.to_owned())));
            variables.insert("STINT_HOME".to_owned(), folder.path().join("home").display().to_string());
            let variables = variables.into_iter().collect();
            let launch = Launch { program: program.clone(), variables, timeout: Duration::from_secs(30) };
            let function = ProcessFunction::new(launch, 1, clock());
            let answer = function.invoke(tick(&worker)).await;
            let Err(InvokeError::Failed(error)) = answer else { panic!("{fleet}/{worker}: {answer:?}") };
            assert!(
                error.contains("could not read secrets from SSM"),
                "{fleet}/{worker}: {error}: {:#?}",
                function.take_log()
            );
        }
    });
}
