//! What Terraform gives a function to start with, and whether the program starts with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hcl::eval::{Context, Evaluate, FuncArgs, FuncDef, ParamType};
use hcl::{Block, Expression, Map, Value, value};
use stint_runtime_api::{Function, InvokeError, Launch};

use super::{Deployment, Infra, POE_STASHES, WARCRAFTLOGS, attribute, body, labelled, text, text_of};
use crate::lambda_stage::{clock, run, tick};
use crate::program::Program;

/// Where a fleet's secrets are unless told otherwise.
const SECRETS: &str = "/stint/warcraftlogs";

/// What a function is, as far as this is about it.
struct Deployed {
    fleet: &'static str,
    worker: String,
    secrets: BTreeSet<String>,
    variables: BTreeMap<String, String>,
}

/// Every function of both fleets.
fn deployed() -> Vec<Deployed> {
    [WARCRAFTLOGS, POE_STASHES].into_iter().flat_map(deployed_of).collect()
}

fn deployed_of(deployment: Deployment) -> Vec<Deployed> {
    let mut infra = Infra::read_of(deployment);
    let given = value!({ client_id = "shop", contact = "you@example.org", bucket = "pages" });
    infra.variables.insert("poe_stashes".to_owned(), given);
    infra.variables.insert("lua_repository".to_owned(), "https://example.org/databases.git".into());
    let common = common(&infra, infra.environment(deployment));
    let function = |(_, call): (String, &Block)| {
        let worker = text_of(&infra.value(call, "name").unwrap());
        let secrets = infra.secrets(&worker);
        let variables = of_the_module(deployment.fleet, &worker, &secrets, &common);
        Deployed { fleet: deployment.fleet, worker, secrets, variables }
    };
    infra.calls("worker").map(function).collect()
}

/// What all functions of a fleet get, with stand-ins for what the fleet's file takes from elsewhere.
fn common(infra: &Infra, environment: &Expression) -> Value {
    let mut context = context(Value::Object(infra.variables.clone()));
    let function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:stint";
    let local = value!({ function_arn = (function_arn), poe_bucket = "pages", poe_pages_prefix = "pages" });
    context.declare_var("local", local);
    context.declare_var("aws_scheduler_schedule_group", value!({ wakeups = { name = "wakeups" } }));
    context.declare_var("aws_iam_role", value!({ wakeups = { arn = "arn:aws:iam::123456789012:role/wakeups" } }));
    environment.evaluate(&context).unwrap()
}

/// What a function gets of `modules/worker`, which is given the rest.
fn of_the_module(fleet: &str, worker: &str, secrets: &BTreeSet<String>, common: &Value) -> BTreeMap<String, String> {
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let installation =
        value!({ fleet = (fleet), prefix = "stint", secret_path = (SECRETS), environment = (common.clone()) });
    let mut context = context(value!({ installation = installation, name = (worker), secrets = (secrets) }));
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

type Callable = fn(FuncArgs) -> Result<Value, String>;

/// Terraform's own functions, as far as they are called here.
fn context(variables: Value) -> Context<'static> {
    let text = |args: FuncArgs| Ok(Value::from(text_of(&args[0])));
    let first = |args: FuncArgs| Ok(args[0].clone());
    let merge = |args: FuncArgs| {
        let maps = args.iter().map(|map| map.as_object().cloned().ok_or_else(|| format!("{map} is no map")));
        Ok(Value::Object(maps.collect::<Result<Vec<_>, String>>()?.into_iter().flatten().collect()))
    };
    let join = |args: FuncArgs| {
        let parts = args[1].as_array().ok_or("no list")?.iter().map(text_of).collect::<Vec<_>>();
        Ok(Value::from(parts.join(&text_of(&args[0]))))
    };
    let lookup = |args: FuncArgs| {
        let map = args[0].as_object().ok_or("no map")?;
        Ok(map.get(&text_of(&args[1])).unwrap_or(&args[2]).clone())
    };
    let mut context = Context::new();
    let functions: [(&str, Callable); 6] =
        [("tostring", text), ("tonumber", text), ("try", first), ("merge", merge), ("join", join), ("lookup", lookup)];
    for (name, function) in functions {
        context.declare_func(name, FuncDef::builder().variadic_param(ParamType::Any).build(function));
    }
    context.declare_var("var", variables);
    context
}

/// A misspelt setting would be passed over in silence.
#[test]
fn what_is_set_is_a_setting() {
    let description = Program::new().json(&["describe"]);
    let sections = description["settings"].as_array().unwrap().iter();
    let settings = sections.flat_map(|section| section["settings"].as_array().unwrap());
    let described: BTreeSet<&str> = settings.map(|setting| setting["variable"].as_str().unwrap()).collect();
    let set: BTreeSet<String> = deployed().into_iter().flat_map(|function| function.variables.into_keys()).collect();
    assert!(set.len() > 15, "{set:?}");
    for name in set {
        // One is the allocator's.
        let is_known = described.contains(name.as_str()) || name == "MIMALLOC_ALLOW_THP";
        assert!(is_known, "infra/ sets {name}, which is no setting");
    }
}

/// Metrics are named by the realm, and `stint status` tells of the same lag.
#[test]
fn alarms_are_about_the_realm_and_the_lag_that_are_set() {
    let mut infra = Infra::read_of(POE_STASHES);
    let mut alarms = |settings: Value| {
        infra.variables.insert("settings".to_owned(), settings);
        let mut context = context(Value::Object(infra.variables.clone()));
        let realm = infra.fleet.blocks().find_map(|block| attribute(block, "poe_realm")).unwrap();
        let realm = realm.evaluate(&context).unwrap();
        context.declare_var("local", value!({ poe_realm = realm }));
        let of = |alarm, argument| {
            let alarm = infra.resource("aws_cloudwatch_metric_alarm", alarm);
            attribute(alarm, argument).unwrap().evaluate(&context).unwrap()
        };
        let stream = |alarm| text_of(&of(alarm, "dimensions").as_object().unwrap()["Stream"]);
        [stream("lag"), stream("lost_pages"), text_of(&of("lag", "threshold"))]
    };
    assert_eq!(alarms(value!({})), ["pc", "pc", "300"]);
    assert_eq!(alarms(value!({ POE_REALM = "sony", POE_LAG_ALARM_SECONDS = "60" })), ["sony", "sony", "60"]);
    let page = Program::new().succeed(&["describe", "--settings", "env"]);
    assert!(page.contains("# POE_REALM=pc\n") && page.contains("# POE_LAG_ALARM_SECONDS=300\n"), "other defaults");
}

#[test]
fn a_function_is_told_which_parameters_hold_its_secrets() {
    for function in deployed() {
        let named: BTreeSet<&str> = function.variables["STINT_AWS_SECRETS"].split(',').collect();
        let permitted: BTreeSet<String> = function.secrets.iter().map(|name| format!("{SECRETS}/{name}")).collect();
        assert!(!permitted.is_empty(), "{}", function.worker);
        assert_eq!(named, permitted.iter().map(String::as_str).collect(), "{}", function.worker);
        for secret in &function.secrets {
            assert!(!function.variables.contains_key(secret), "{} has {secret} for all to see", function.worker);
        }
    }
}

/// Up to the point where it reads its secrets, which nobody has for it here.
#[test]
fn every_function_starts_with_what_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("bootstrap");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_stint"), &program).unwrap();
    run(async {
        for Deployed { fleet, worker, mut variables, .. } in deployed() {
            // What Lambda adds, but for the endpoint: there is no AWS.
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
            let function = Function::new(launch, 1, clock());
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
