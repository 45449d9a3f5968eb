//! Executes GraphQL documents on the state of the stand-in.
//!
//! A document is parsed and checked against the schema as a whole before it is executed: a document with a mistake
//! costs nothing, and its answer has only errors.

mod character;
mod execution;
mod plan;
mod rankings;
mod report;
mod schema;
mod section;
mod values;
mod world;

use std::collections::BTreeSet;

pub use schema::ServedField;
pub(super) use schema::served;
use serde::Deserialize;

use super::account::Rates;
use super::json;
use super::options::{Damage, SectionFaults};
use super::reports::Reports;
use super::sections::Section;
use execution::Execution;
use plan::ResponsePlan;

/// The state that a document is executed on.
pub(super) struct ServerState<'w> {
    /// Players and reports.
    pub(super) reports: Reports<'w>,
    /// The raids whose ranks no longer change.
    pub(super) frozen: &'w BTreeSet<u32>,
    /// The points of the requesting key, before this document.
    pub(super) rates: Rates,
    /// The faults of sections.
    pub(super) faults: &'w SectionFaults,
    /// The number of the request, as a seed for random faults.
    pub(super) request: u64,
}

/// The result of a document.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The JSON of the answer.
    pub(super) body: String,
    /// The cost, in micro-points.
    pub(super) cost_micros: u64,
    /// How the answer is damaged by a character that was never classed, if it includes one.
    pub(super) damage: Option<Damage>,
    /// The sections of the answer.
    pub(super) sections: Vec<Section>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    query: String,
    #[serde(default)]
    variables: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    operation_name: Option<String>,
}

/// Executes the document in a request's body.
pub(super) fn answer(body: &[u8], state: ServerState<'_>) -> Outcome {
    match execute(body, state) {
        Ok(outcome) => outcome,
        Err(message) => Outcome { body: errors(&message), cost_micros: 0, damage: None, sections: Vec::new() },
    }
}

fn execute(body: &[u8], state: ServerState<'_>) -> Result<Outcome, String> {
    let unreadable = |error| {
        format!("GraphQL Request must include at least one of those two parameters: \"query\" or \"queryId\" ({error})")
    };
    let posted: Posted = serde_json::from_slice(body).map_err(unreadable)?;
    let document = graphql_parser::parse_query::<&str>(&posted.query)
        .map_err(|error| format!("Syntax Error: {}", error.to_string().trim().replace('\n', " ")))?;
    let variables = posted.variables.unwrap_or_default();
    let plan = ResponsePlan::new(&document, posted.operation_name.as_deref(), &variables)?;
    Ok(Execution::new(state, plan.variables).run(&plan.nodes))
}

fn errors(message: &str) -> String {
    let mut body = String::from("{\"errors\":[{\"message\":");
    json::text(&mut body, message);
    body.push_str(",\"extensions\":{\"category\":\"graphql\"}}]}");
    body
}
