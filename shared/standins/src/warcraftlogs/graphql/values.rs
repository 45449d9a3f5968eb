//! Arguments and variables.

use graphql_parser::query::{Type, Value, VariableDefinition};
use serde_json::{Map, Value as Json};

use super::schema::Kind;

/// The range of `Int` in GraphQL.
const INT: std::ops::RangeInclusive<i64> = i32::MIN as i64..=i32::MAX as i64;

/// The variables of an operation, with their values.
pub(super) struct Variables<'d> {
    definitions: &'d [VariableDefinition<'d, &'d str>],
    given: &'d Map<String, Json>,
}

/// An argument's value, from a literal or from a variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Argument<'d> {
    Null,
    Int(i64),
    Float(f64),
    /// A string of the document, or a string from JSON, which may also be an enum value.
    Text(&'d str),
    Enum(&'d str),
    Boolean(bool),
    List,
    Object,
}

impl<'d> Variables<'d> {
    /// Checks that every required variable has a value.
    pub(super) fn new(
        definitions: &'d [VariableDefinition<'d, &'d str>],
        given: &'d Map<String, Json>,
    ) -> Result<Variables<'d>, String> {
        for definition in definitions {
            let required = matches!(definition.var_type, Type::NonNullType(_)) && definition.default_value.is_none();
            if required && given.get(definition.name).is_none_or(Json::is_null) {
                let (name, of) = (definition.name, &definition.var_type);
                return Err(format!(r#"Variable "${name}" of required type "{of}" was not provided."#));
            }
        }
        Ok(Variables { definitions, given })
    }

    /// Returns the value, with a variable replaced by its own value. `None` for a variable that the operation does not
    /// define.
    pub(super) fn resolve(&self, value: &'d Value<'d, &'d str>) -> Option<Argument<'d>> {
        let Value::Variable(name) = value else { return Some(literal(value)) };
        let definition = self.definitions.iter().find(|definition| definition.name == *name)?;
        let given = self.given.get(*name).map(json);
        Some(given.or_else(|| definition.default_value.as_ref().map(literal)).unwrap_or(Argument::Null))
    }

    /// Returns the condition of a directive.
    pub(super) fn boolean(&self, value: &'d Value<'d, &'d str>) -> Option<bool> {
        match self.resolve(value)? {
            Argument::Boolean(is_true) => Some(is_true),
            _ => None,
        }
    }
}

/// Returns why `value` does not fit an argument of `kind`, if it does not.
pub(super) fn check<'d>(kind: Kind, value: &'d Value<'d, &'d str>, variables: &Variables<'d>) -> Result<(), String> {
    let undefined = || format!("variable {value} is not defined");
    let argument = variables.resolve(value).ok_or_else(undefined)?;
    let from_json = matches!(value, Value::Variable(_));
    let fits = match (kind, argument) {
        (_, Argument::Null) => true,
        (Kind::Int, Argument::Int(number)) => INT.contains(&number),
        (Kind::Float, Argument::Int(_) | Argument::Float(_)) => true,
        (Kind::String, Argument::Text(_)) | (Kind::Boolean, Argument::Boolean(_)) => true,
        // A single value is accepted as a list of one.
        (Kind::Ints, Argument::List | Argument::Int(_)) => true,
        (Kind::Enum(_, values), Argument::Enum(name)) => values.contains(&name),
        (Kind::Enum(_, values), Argument::Text(name)) => from_json && values.contains(&name),
        _ => false,
    };
    if fits { Ok(()) } else { Err(format!("expected type {}, found {value}", kind.name())) }
}

fn literal<'d>(value: &'d Value<'d, &'d str>) -> Argument<'d> {
    match value {
        Value::Int(number) => number.as_i64().map_or(Argument::Null, Argument::Int),
        Value::Float(number) => Argument::Float(*number),
        Value::String(text) => Argument::Text(text),
        Value::Boolean(is_true) => Argument::Boolean(*is_true),
        Value::Enum(name) => Argument::Enum(name),
        Value::Null | Value::Variable(_) => Argument::Null,
        Value::List(_) => Argument::List,
        Value::Object(_) => Argument::Object,
    }
}

fn json(value: &Json) -> Argument<'_> {
    match value {
        Json::Null => Argument::Null,
        Json::Bool(is_true) => Argument::Boolean(*is_true),
        Json::String(text) => Argument::Text(text),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Argument::Int(number),
            (None, Some(number)) => Argument::Float(number),
            (None, None) => Argument::Null,
        },
        Json::Array(_) => Argument::List,
        Json::Object(_) => Argument::Object,
    }
}
