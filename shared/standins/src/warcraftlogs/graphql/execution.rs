//! Writes the answer to a checked document.

use super::plan::Node;
use super::schema::TYPENAME;
use super::values::{Argument, Variables};
use super::{Damage, Outcome, Section, ServerState};
use crate::warcraftlogs::json;

/// The initial capacity of an answer: room for one ranking.
const USUAL_BODY: usize = 8 * 1024;

/// A document in execution.
pub(super) struct Execution<'d> {
    pub(super) state: ServerState<'d>,
    variables: Variables<'d>,
    pub(super) out: String,
    pub(super) cost_micros: u64,
    pub(super) damage: Option<Damage>,
    pub(super) sections: Vec<Section>,
    /// The errors so far, as the members of a JSON array.
    errors: String,
    /// The keys from the root to the current field.
    path: Vec<&'d str>,
}

impl<'d> Execution<'d> {
    pub(super) fn new(state: ServerState<'d>, variables: Variables<'d>) -> Execution<'d> {
        Execution {
            state,
            variables,
            out: String::with_capacity(USUAL_BODY),
            cost_micros: 0,
            damage: None,
            sections: Vec::new(),
            errors: String::new(),
            path: Vec::new(),
        }
    }

    /// Returns the answer to `nodes`, the fields of the query.
    pub(super) fn run(mut self, nodes: &[Node<'d>]) -> Outcome {
        self.out.push_str("{\"data\":");
        self.object(nodes, Execution::query_field);
        if !self.errors.is_empty() {
            self.out.push_str(",\"errors\":[");
            self.out.push_str(&self.errors);
            self.out.push(']');
        }
        self.out.push('}');
        Outcome { body: self.out, cost_micros: self.cost_micros, damage: self.damage, sections: self.sections }
    }

    fn query_field(&mut self, node: &Node<'d>) {
        match node.definition.name {
            "rateLimitData" => self.object(&node.children, Execution::rate_field),
            "characterData" => self.object(&node.children, Execution::character),
            "reportData" => self.object(&node.children, Execution::report_data),
            "worldData" => self.object(&node.children, Execution::world_data),
            _ => self.null(),
        }
    }

    fn rate_field(&mut self, node: &Node<'d>) {
        let rates = self.state.rates;
        match node.definition.name {
            "limitPerHour" => json::number(&mut self.out, rates.limit.micros() / 1_000_000),
            "pointsSpentThisHour" => json::decimal(&mut self.out, rates.spent.micros(), 6),
            "pointsResetIn" => json::number(&mut self.out, rates.reset_in),
            _ => self.null(),
        }
    }

    /// Writes an object. `write` writes the value of each field.
    pub(super) fn object(&mut self, nodes: &[Node<'d>], mut write: impl FnMut(&mut Self, &Node<'d>)) {
        self.out.push('{');
        for (position, node) in nodes.iter().enumerate() {
            if position > 0 {
                self.out.push(',');
            }
            json::key(&mut self.out, node.key);
            if node.definition.name == TYPENAME.name {
                json::text(&mut self.out, node.parent.name());
                continue;
            }
            self.path.push(node.key);
            write(self, node);
            self.path.pop();
        }
        self.out.push('}');
    }

    /// Writes a list of objects.
    pub(super) fn list<T>(&mut self, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        self.out.push('[');
        for (position, item) in items.enumerate() {
            if position > 0 {
                self.out.push(',');
            }
            write(self, item);
        }
        self.out.push(']');
    }

    pub(super) fn null(&mut self) {
        self.out.push_str("null");
    }

    pub(super) fn boolean(&mut self, value: bool) {
        self.out.push_str(if value { "true" } else { "false" });
    }

    /// Writes null, and adds an error with the path and `message`.
    pub(super) fn fail(&mut self, message: &str) {
        self.null();
        if !self.errors.is_empty() {
            self.errors.push(',');
        }
        self.errors.push_str("{\"message\":");
        json::text(&mut self.errors, message);
        self.errors.push_str(",\"path\":[");
        for (position, key) in self.path.iter().enumerate() {
            if position > 0 {
                self.errors.push(',');
            }
            json::text(&mut self.errors, key);
        }
        self.errors.push_str("]}");
    }

    /// The value of an argument that was checked to be an integer.
    pub(super) fn int(&self, node: &Node<'d>, name: &str) -> Option<i64> {
        match self.argument(node, name)? {
            Argument::Int(number) => Some(number),
            Argument::Float(number) => Some(number as i64),
            _ => None,
        }
    }

    /// The value of an argument that was checked to be a string or an enum.
    pub(super) fn text(&self, node: &Node<'d>, name: &str) -> Option<&'d str> {
        match self.argument(node, name)? {
            Argument::Text(text) | Argument::Enum(text) => Some(text),
            _ => None,
        }
    }

    /// Whether an argument that was checked to be a boolean is `true`.
    pub(super) fn is_true(&self, node: &Node<'d>, name: &str) -> bool {
        self.argument(node, name) == Some(Argument::Boolean(true))
    }

    fn argument(&self, node: &Node<'d>, name: &str) -> Option<Argument<'d>> {
        let (_, value) = node.arguments.iter().find(|(argument, _)| *argument == name)?;
        self.variables.resolve(value)
    }
}
