//! Counts fields of documents that nothing here reads, so that their loss is reported.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// The number of names that are counted separately. Further names are counted together.
const MAX_NAMES: usize = 100;

/// The name under which further fields are counted.
const OTHERS: &str = "(others)";

/// How many documents have each unknown field, by its path. Ids and list positions in a path are written as `*`.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct UnknownFields(BTreeMap<String, u64>);

impl UnknownFields {
    /// Counts the fields of a document that are missing in the value read from it.
    pub(super) fn compare(&mut self, document: &Value, read: &impl Serialize) {
        // A model that cannot be serialised is reported when it is stored.
        let Ok(read) = serde_json::to_value(read) else { return };
        let mut paths = Vec::new();
        differences(document, &read, "", &mut paths);
        paths.sort_unstable();
        paths.dedup();
        paths.into_iter().for_each(|path| self.count(path));
    }

    /// Counts one field of one document.
    pub(super) fn count(&mut self, path: String) {
        let path = if self.0.contains_key(&path) || self.0.len() < MAX_NAMES { path } else { OTHERS.to_owned() };
        *self.0.entry(path).or_default() += 1;
    }

    /// Returns each path, and how many documents have it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(path, documents)| (path.as_str(), *documents))
    }
}

fn differences(document: &Value, read: &Value, path: &str, paths: &mut Vec<String>) {
    if let (Value::Array(document), Value::Array(read)) = (document, read) {
        let path = format!("{path}.*");
        document.iter().zip(read).for_each(|(document, read)| differences(document, read, &path, paths));
        if document.len() > read.len() {
            paths.push(path);
        }
        return;
    }
    let (Value::Object(document), Value::Object(read)) = (document, read) else { return };
    for (name, value) in document {
        let is_id = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        let name_in_path = if is_id { "*" } else { name };
        let path = if path.is_empty() { name_in_path.to_owned() } else { format!("{path}.{name_in_path}") };
        match read.get(name) {
            Some(read) => differences(value, read, &path, paths),
            // A null carries no information.
            None if value.is_null() => {}
            None => paths.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn unknown(documents: &[Value]) -> Value {
        let mut unknown = UnknownFields::default();
        let read =
            json!({"_id": 7, "raids": {"26": {"4": {"best": 1}}}, "updatedAt": {"$date": "2026-11-20T10:00:00Z"}});
        documents.iter().for_each(|document| unknown.compare(document, &read));
        serde_json::to_value(&unknown).unwrap()
    }

    #[test]
    fn unread_fields_are_counted_once_per_document() {
        let document = json!({
            "_id": 7, "guild": {"name": "Night"}, "nothing": null, "updatedAt": "2026-11-20T10:00:00Z",
            "raids": {"26": {"4": {"best": 1, "rank": 5}, "5": {}}},
        });
        let expected = json!({"guild": 2, "raids.*.*": 2, "raids.*.*.rank": 2});
        assert_eq!(unknown(&[document.clone(), document]), expected);
        assert_eq!(unknown(&[json!({"_id": 7})]), json!({}));
    }

    #[test]
    fn unread_elements_of_a_list_are_counted() {
        let mut unknown = UnknownFields::default();
        let read = json!({"seasons": [{"rank": 1}, {"rank": 2}], "specs": ["Fire"]});
        let document =
            json!({"seasons": [{"rank": 1, "guild": 9}, {"rank": 2, "guild": 9}], "specs": ["Fire", "Frost"]});
        unknown.compare(&document, &read);
        unknown.compare(&read, &read);
        let expected = json!({"seasons.*.guild": 1, "specs.*": 1});
        assert_eq!(serde_json::to_value(&unknown).unwrap(), expected);
    }

    #[test]
    fn endless_names_do_not_fill_the_memory() {
        let documents: Vec<Value> = (0..300).map(|number| json!({ format!("field{number}"): 1 })).collect();
        let unknown = unknown(&documents);
        assert_eq!(unknown.as_object().unwrap().len(), MAX_NAMES + 1);
        assert_eq!(unknown[OTHERS], 200);
    }
}
