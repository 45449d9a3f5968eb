//! Evaluates the Terraform files of a fleet, with substitutes for the values that AWS would return.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hcl::eval::{Context, Evaluate, FuncArgs, FuncDef, ParamType};
use hcl::{Block, Body, Expression, Map, Value, value};

use super::Facts;

/// A fleet that is deployed by `infra/<fleet>.tf`, which calls the module in `infra/modules/<fleet>`.
#[derive(Clone, Copy)]
pub(super) struct Deployment {
    pub(super) fleet: &'static str,
    /// Workers that run on a machine instead.
    pub(super) elsewhere: &'static [&'static str],
}

pub(super) const WARCRAFTLOGS: Deployment = Deployment { fleet: "warcraftlogs", elsewhere: &[] };

/// The indexer is excluded, because it writes a file.
pub(super) const POE_STASHES: Deployment = Deployment { fleet: "poe-stashes", elsewhere: &["indexer"] };

/// A fleet's module in one installation.
pub(super) struct Infra {
    pub(super) fleet: Body,
    pub(super) variables: Map<String, Value>,
}

impl Infra {
    pub(super) fn read(deployment: Deployment) -> Infra {
        Infra::of(&module_text(deployment.fleet), "stint")
    }

    /// Evaluates this text as the module, in the installation with this prefix.
    pub(super) fn of(module: &str, prefix: &str) -> Infra {
        let fleet = body(module);
        let mut variables = defaults(&fleet);
        variables.insert("installation".to_owned(), installation(prefix));
        Infra { fleet, variables }
    }

    /// Returns the calls of a shared module, by their names in the fleet's module.
    pub(super) fn calls<'a>(&'a self, module: &'a str) -> impl Iterator<Item = (String, &'a Block)> {
        let source = Value::from(format!("../{module}"));
        labelled(&self.fleet, "module").filter(move |(_, call)| self.value(call, "source") == Some(source.clone()))
    }

    /// Returns the value of an argument, with every variable at its default.
    pub(super) fn value(&self, call: &Block, argument: &str) -> Option<Value> {
        let context = context(Value::Object(self.variables.clone()));
        attribute(call, argument).map(|expression| expression.evaluate(&context).unwrap())
    }

    /// Returns the value of an argument as text.
    pub(super) fn shown(&self, call: &Block, argument: &str) -> String {
        self.value(call, argument).map_or_else(|| "nothing".to_owned(), |value| text_of(&value))
    }

    /// Returns a resource of the module.
    pub(super) fn resource(&self, kind: &str, name: &str) -> &Block {
        let is_it = |block: &&Block| block.labels().iter().map(|label| label.as_str()).eq([kind, name]);
        self.fleet.blocks().filter(|block| block.identifier() == "resource").find(is_it).unwrap()
    }

    /// Returns the expression of a local value.
    pub(super) fn local(&self, name: &str) -> &Expression {
        let mut locals = self.fleet.blocks().filter(|block| block.identifier() == "locals");
        locals.find_map(|block| attribute(block, name)).unwrap()
    }

    /// Returns the local values, computed from variables and from substitutes for what AWS would return.
    pub(super) fn locals(&self) -> Value {
        let locals = self.fleet.blocks().filter(|block| block.identifier() == "locals");
        let locals: Vec<_> = locals.flat_map(|block| block.body().attributes()).collect();
        let mut known = Map::new();
        for local in locals {
            let mut context = context(Value::Object(self.variables.clone()));
            context.declare_var("local", Value::Object(known.clone()));
            context.declare_var(
                "aws_scheduler_schedule_group",
                value!({ schedules = { name = "schedules" }, wakeups = { name = "wakeups" } }),
            );
            context
                .declare_var("aws_iam_role", value!({ wakeups = { arn = "arn:aws:iam::123456789012:role/wakeups" } }));
            if let Ok(value) = local.expr().evaluate(&context) {
                known.insert(local.key().to_owned(), value);
            }
        }
        Value::Object(known)
    }

    /// Returns the module call that deploys the worker with this name in `stint describe`.
    pub(super) fn worker(&self, name: &str) -> Option<&Block> {
        self.calls("worker").map(|(_, call)| call).find(|call| self.value(call, "name") == Some(name.into()))
    }

    /// Returns the secrets that a worker may read.
    pub(super) fn secrets(&self, worker: &str) -> BTreeSet<String> {
        texts(&self.value(self.worker(worker).unwrap(), "secrets").unwrap())
    }

    /// Returns the modules of the workers whose roles may send to the queue that feeds them.
    pub(super) fn workers_that_feed_themselves(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (_, policy) in labelled(&self.fleet, "resource").filter(|(kind, _)| kind == "aws_iam_role_policy") {
            let document = attribute(policy, "policy").unwrap().to_string();
            let holders: BTreeSet<String> =
                ["role", "for_each"].iter().flat_map(|name| self.modules_in(policy, name)).collect();
            let queues = self.may_send_to(document.split(['.', '[', '}']).nth(2).unwrap_or_default());
            let fed = self.calls("queue").filter(|(module, _)| queues.contains(module));
            found.extend(fed.flat_map(|(_, call)| self.modules_in(call, "worker")).filter(|it| holders.contains(it)));
        }
        found
    }

    /// Returns the modules of the queues that a policy document permits to send to.
    fn may_send_to(&self, document: &str) -> BTreeSet<String> {
        let is_it = |block: &&Block| {
            block.identifier() == "data" && block.labels().last().is_some_and(|label| label.as_str() == document)
        };
        let documents = self.fleet.blocks().filter(is_it);
        let statements = documents.flat_map(|document| document.body().blocks().map(move |block| (document, block)));
        let sends = |(_, statement): &(&Block, &Block)| {
            attribute(statement, "actions").is_some_and(|actions| actions.to_string().contains("sqs:SendMessage"))
        };
        let queues = |(document, statement): (&Block, &Block)| {
            let each = attribute(statement, "resources").is_some_and(|it| it.to_string().contains("each.value"));
            if each { self.modules_in(document, "for_each") } else { self.modules_in(statement, "resources") }
        };
        statements.filter(sends).flat_map(queues).collect()
    }

    /// Returns the modules that an argument refers to, itself or by a local value.
    fn modules_in(&self, block: &Block, argument: &str) -> BTreeSet<String> {
        let mut text = attribute(block, argument).map(ToString::to_string).unwrap_or_default();
        if let Some((_, local)) = text.split_once("local.") {
            let name: String = local.chars().take_while(|next| next.is_ascii_alphanumeric() || *next == '_').collect();
            text = self.local(&name).to_string();
        }
        let named = text.split("module.").skip(1);
        named
            .map(|rest| rest.chars().take_while(|next| next.is_ascii_alphanumeric() || *next == '_').collect())
            .collect()
    }

    pub(super) fn facts(&self) -> Facts {
        let mut facts = Facts::new();
        for (_, call) in self.calls("worker") {
            let worker = self.shown(call, "name");
            for argument in ["timeout_seconds", "concurrency"] {
                facts.insert(format!("worker {worker}: {argument}"), self.shown(call, argument));
            }
        }
        for (_, call) in self.calls("schedule") {
            let minutes = self.value(call, "every_minutes").and_then(|minutes| minutes.as_u64()).unwrap_or_default();
            facts.insert(format!("schedule of {}: every_seconds", self.fed(call)), (minutes * 60).to_string());
            if self.value(call, "aligned") == Some(true.into()) {
                facts.insert(format!("schedule of {}: aligned", self.fed(call)), "true".to_owned());
            }
        }
        for (_, call) in self.calls("queue") {
            let queue = self.shown(call, "name");
            facts.insert(format!("queue {queue}: feeds"), self.fed(call));
            for argument in ["batch", "visibility_timeout_seconds", "max_receives"] {
                facts.insert(format!("queue {queue}: {argument}"), self.shown(call, argument));
            }
        }
        facts
    }

    /// Returns the name of the worker that a call's `worker = module.…` refers to.
    fn fed(&self, call: &Block) -> String {
        let expression = attribute(call, "worker").unwrap().to_string();
        let called = expression.trim_start_matches("${").trim_end_matches('}').trim_start_matches("module.");
        let worker = self.calls("worker").find(|(module, _)| module == called);
        worker.map_or(expression.clone(), |(_, call)| self.shown(call, "name"))
    }
}

/// Returns the values that the root module passes to every fleet of an installation.
pub(super) fn installation(prefix: &str) -> Value {
    let root = body(&text("installation.tf"));
    let mut variables = defaults(&body(&text("variables.tf")));
    for (name, given) in [("region", "eu-west-1"), ("prefix", prefix)] {
        variables.insert(name.to_owned(), given.into());
    }
    let locals = root.blocks().find(|block| block.identifier() == "locals").unwrap();
    let evaluate = |name: &str, local: Value| {
        let mut context = context(Value::Object(variables.clone()));
        context.declare_var("local", local);
        let account = value!({ current = { account_id = "123456789012", partition = "aws" } });
        let sources = ["aws_caller_identity", "aws_partition"];
        let data: Map<String, Value> = sources.map(|source| (source.to_owned(), account.clone())).into_iter().collect();
        context.declare_var("data", data);
        context
            .declare_var("aws_sns_topic", value!({ alarms = { arn = "arn:aws:sns:eu-west-1:123456789012:alarms" } }));
        attribute(locals, name).unwrap().evaluate(&context).unwrap()
    };
    let queue_prefix = evaluate("queue_prefix", value!({}));
    evaluate("installation", value!({ queue_prefix = queue_prefix }))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra")
}

/// Returns the text of a file in `infra/`.
pub(super) fn text(file: &str) -> String {
    std::fs::read_to_string(folder().join(file)).unwrap()
}

/// Returns the text of all files of a module.
pub(super) fn module_text(module: &str) -> String {
    let files = std::fs::read_dir(folder().join("modules").join(module)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|extension| extension == "tf")).collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect::<Vec<_>>().join("\n")
}

pub(super) fn body(text: &str) -> Body {
    hcl::parse(text).unwrap()
}

/// Returns the variables that have a default, with the default.
fn defaults(body: &Body) -> Map<String, Value> {
    let defaults = labelled(body, "variable").filter_map(|(name, variable)| {
        let default = attribute(variable, "default")?;
        Some((name, default.evaluate(&Context::new()).unwrap()))
    });
    defaults.collect()
}

/// Returns the blocks of a kind, by their label.
pub(super) fn labelled<'a>(body: &'a Body, kind: &'a str) -> impl Iterator<Item = (String, &'a Block)> {
    let blocks = body.blocks().filter(move |block| block.identifier() == kind);
    blocks.filter_map(|block| Some((block.labels().first()?.as_str().to_owned(), block)))
}

pub(super) fn attribute<'a>(block: &'a Block, name: &str) -> Option<&'a Expression> {
    block.body().attributes().find(|attribute| attribute.key() == name).map(hcl::Attribute::expr)
}

pub(super) fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns a field of an object.
pub(super) fn field<'a>(object: &'a Value, name: &str) -> &'a Value {
    &object.as_object().unwrap()[name]
}

pub(super) fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(text_of).collect()
}

type Callable = fn(FuncArgs) -> Result<Value, String>;

/// Returns an evaluation context with those of Terraform's functions that are called here.
pub(super) fn context(variables: Value) -> Context<'static> {
    let text = |args: FuncArgs| Ok(Value::from(text_of(&args[0])));
    let title = |args: FuncArgs| {
        let text = text_of(&args[0]);
        let (first, rest) = text.split_at_checked(1).ok_or("no text")?;
        Ok(Value::from(first.to_uppercase() + rest))
    };
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
    let concat = |args: FuncArgs| {
        let lists = args.iter().map(|list| list.as_array().cloned().ok_or_else(|| format!("{list} is no list")));
        Ok(Value::Array(lists.collect::<Result<Vec<_>, String>>()?.concat()))
    };
    let mut context = Context::new();
    let functions: [(&str, Callable); 7] = [
        ("concat", concat),
        ("tostring", text),
        ("tonumber", text),
        ("title", title),
        ("merge", merge),
        ("join", join),
        ("lookup", lookup),
    ];
    for (name, function) in functions {
        context.declare_func(name, FuncDef::builder().variadic_param(ParamType::Any).build(function));
    }
    context.declare_var("var", variables);
    context
}
