//! A document, checked against the schema: which fields to write, in which order, under which keys.

use std::collections::BTreeMap;

use graphql_parser::query::{
    Definition, Directive, Document, FragmentDefinition, OperationDefinition, Selection, SelectionSet, TypeCondition,
    Value, VariableDefinition,
};

use super::schema::{FieldDefinition, OBJECTS, TYPENAME, Type};
use super::values::{self, Variables};

/// A field of the document.
pub(super) type Field<'d> = graphql_parser::query::Field<'d, &'d str>;

/// A deeper nesting of selections is reported as a fragment that includes itself.
const DEEPEST: usize = 40;

/// A field to write.
pub(super) struct Node<'d> {
    /// The alias, or the name.
    pub(super) key: &'d str,
    pub(super) definition: &'static FieldDefinition,
    /// The type that the field belongs to.
    pub(super) parent: Type,
    pub(super) arguments: &'d [(&'d str, Value<'d, &'d str>)],
    pub(super) children: Vec<Node<'d>>,
}

/// The fields that a document selects.
pub(super) struct ResponsePlan<'d> {
    pub(super) nodes: Vec<Node<'d>>,
    pub(super) variables: Variables<'d>,
}

/// Selections with the same response key, merged from fragments.
struct Merged<'d> {
    key: &'d str,
    field: &'d Field<'d>,
    sets: Vec<&'d SelectionSet<'d, &'d str>>,
}

struct ResponsePlanner<'d> {
    fragments: BTreeMap<&'d str, &'d FragmentDefinition<'d, &'d str>>,
    variables: Variables<'d>,
}

impl<'d> ResponsePlan<'d> {
    /// Plans the operation called `operation`, or the only one.
    pub(super) fn new(
        document: &'d Document<'d, &'d str>,
        operation: Option<&str>,
        given: &'d serde_json::Map<String, serde_json::Value>,
    ) -> Result<ResponsePlan<'d>, String> {
        let mut fragments = BTreeMap::new();
        let mut operations = Vec::new();
        for definition in &document.definitions {
            match definition {
                Definition::Fragment(fragment) => drop(fragments.insert(fragment.name, fragment)),
                Definition::Operation(definition) => operations.push(parts(definition)?),
            }
        }
        let wanted = |name: &Option<&str>| operation.is_none_or(|operation| *name == Some(operation));
        let mut matching = operations.into_iter().filter(|(name, _, _)| wanted(name));
        let (_, definitions, set) = matching.next().ok_or("Unknown operation.")?;
        if matching.next().is_some() {
            return Err("Must provide operation name if query contains multiple operations.".to_owned());
        }
        let planner = ResponsePlanner { fragments, variables: Variables::new(definitions, given)? };
        let nodes = planner.nodes(Type::Query, &[set], 0)?;
        Ok(ResponsePlan { nodes, variables: planner.variables })
    }
}

type Parts<'d> = (Option<&'d str>, &'d [VariableDefinition<'d, &'d str>], &'d SelectionSet<'d, &'d str>);

fn parts<'d>(definition: &'d OperationDefinition<'d, &'d str>) -> Result<Parts<'d>, String> {
    match definition {
        OperationDefinition::SelectionSet(set) => Ok((None, &[], set)),
        OperationDefinition::Query(query) => Ok((query.name, &query.variable_definitions, &query.selection_set)),
        OperationDefinition::Mutation(_) => Err("Schema is not configured to execute mutation operation.".to_owned()),
        OperationDefinition::Subscription(_) => {
            Err("Schema is not configured to execute subscription operation.".to_owned())
        }
    }
}

impl<'d> ResponsePlanner<'d> {
    fn nodes(
        &self,
        parent: Type,
        sets: &[&'d SelectionSet<'d, &'d str>],
        depth: usize,
    ) -> Result<Vec<Node<'d>>, String> {
        let mut merged = Vec::with_capacity(sets.first().map_or(0, |set| set.items.len()));
        for set in sets {
            self.collect(parent, set, depth, &mut merged)?;
        }
        merged.into_iter().map(|selected| self.node(parent, selected, depth)).collect()
    }

    fn node(&self, parent: Type, selected: Merged<'d>, depth: usize) -> Result<Node<'d>, String> {
        let Merged { key, field, sets } = selected;
        let definition = match parent.field(field.name) {
            Some(definition) => definition,
            None if field.name == TYPENAME.name => &TYPENAME,
            None => return Err(format!(r#"Cannot query field "{}" on type "{}"."#, field.name, parent.name())),
        };
        self.check_arguments(parent, definition, field)?;
        let (name, of) = (field.name, definition.of.name());
        if definition.of.is_leaf() && !sets.is_empty() {
            return Err(format!(r#"Field "{name}" must not have a selection since type "{of}" has no subfields."#));
        }
        if !definition.of.is_leaf() && sets.is_empty() {
            return Err(format!(
                r#"Field "{name}" of type "{of}" must have a selection of subfields. Did you mean "{name} {{ ... }}"?"#
            ));
        }
        let children = self.nodes(definition.of, &sets, depth + 1)?;
        Ok(Node { key, definition, parent, arguments: &field.arguments, children })
    }

    fn check_arguments(&self, parent: Type, definition: &FieldDefinition, field: &'d Field<'d>) -> Result<(), String> {
        for (name, value) in &field.arguments {
            let Some((_, kind)) = definition.arguments.iter().find(|(known, _)| known == name) else {
                let (field, parent) = (field.name, parent.name());
                return Err(format!(r#"Unknown argument "{name}" on field "{field}" of type "{parent}"."#));
            };
            values::check(*kind, value, &self.variables)
                .map_err(|reason| format!(r#"Field "{}" argument "{name}": {reason}"#, field.name))?;
        }
        Ok(())
    }

    fn collect(
        &self,
        parent: Type,
        set: &'d SelectionSet<'d, &'d str>,
        depth: usize,
        merged: &mut Vec<Merged<'d>>,
    ) -> Result<(), String> {
        if depth > DEEPEST {
            return Err("Cannot spread fragment within itself.".to_owned());
        }
        for item in &set.items {
            match item {
                Selection::Field(field) => {
                    if self.included(&field.directives)? {
                        merge(field, merged)?;
                    }
                }
                Selection::InlineFragment(inline) => {
                    let applies = applies(inline.type_condition.as_ref(), parent)?;
                    if applies && self.included(&inline.directives)? {
                        self.collect(parent, &inline.selection_set, depth + 1, merged)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let unknown = || format!(r#"Unknown fragment "{}"."#, spread.fragment_name);
                    let fragment = self.fragments.get(spread.fragment_name).ok_or_else(unknown)?;
                    if applies(Some(&fragment.type_condition), parent)? && self.included(&spread.directives)? {
                        self.collect(parent, &fragment.selection_set, depth + 1, merged)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Evaluates `@skip` and `@include`.
    fn included(&self, directives: &'d [Directive<'d, &'d str>]) -> Result<bool, String> {
        for directive in directives {
            let condition = directive.arguments.iter().find(|(name, _)| *name == "if").map(|(_, value)| value);
            let is_true = condition.and_then(|value| self.variables.boolean(value));
            match (directive.name, is_true) {
                ("skip", Some(true)) | ("include", Some(false)) => return Ok(false),
                ("skip" | "include", Some(_)) => {}
                (name, _) => return Err(format!(r#"Unknown or incomplete directive "@{name}"."#)),
            }
        }
        Ok(true)
    }
}

fn applies<'d>(condition: Option<&TypeCondition<'d, &'d str>>, parent: Type) -> Result<bool, String> {
    let Some(TypeCondition::On(name)) = condition else { return Ok(true) };
    if OBJECTS.iter().all(|known| known.name() != *name) {
        return Err(format!(r#"Unknown type "{name}"."#));
    }
    if *name != parent.name() {
        let parent = parent.name();
        return Err(format!(
            r#"Fragment cannot be spread here as objects of type "{parent}" can never be of type "{name}"."#
        ));
    }
    Ok(true)
}

/// Adds a field. Fields with the same response key must have the same name and arguments.
fn merge<'d>(field: &'d Field<'d>, merged: &mut Vec<Merged<'d>>) -> Result<(), String> {
    let key = field.alias.unwrap_or(field.name);
    let set = (!field.selection_set.items.is_empty()).then_some(&field.selection_set);
    let Some(same) = merged.iter_mut().find(|other| other.key == key) else {
        merged.push(Merged { key, field, sets: set.into_iter().collect() });
        return Ok(());
    };
    if same.field.name != field.name || same.field.arguments != field.arguments {
        return Err(format!(
            r#"Fields "{key}" conflict because they are different fields or have differing arguments. Use different aliases on the fields to fetch both if this was intentional."#
        ));
    }
    same.sets.extend(set);
    Ok(())
}
