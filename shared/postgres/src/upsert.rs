//! Batches: many rows in one statement and one round trip, as an array for each column.

use std::fmt::Write as _;

/// What happens to a column of a row that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The new value replaces it.
    Replace,
    /// The new value replaces it, unless the new value is null.
    ReplaceUnlessNull,
    /// The greater of the two is kept, so that batches may arrive in any order and twice.
    Greatest,
    /// It is kept as it was inserted.
    Keep,
}

/// An insert of many rows that updates those whose key exists.
///
/// The rows are stored in the order of their keys, so that two batches with the same keys do not wait for each other
/// crosswise. One batch must not have two rows with the same key: merge them before.
#[derive(Clone, Debug)]
pub struct Upsert {
    sql: String,
}

impl Upsert {
    /// Prepares the statement. `key` and `others` are names of columns with their types, as in `("game_id", "bigint")`.
    /// The key needs a unique constraint.
    pub fn new(table: &str, key: &[(&str, &str)], others: &[(&str, &str, OnConflict)]) -> Upsert {
        Upsert { sql: statement(table, key, others, None) }
    }

    /// The same, but an existing row is only updated where `condition` holds. In it, `stored` is the existing row and
    /// `excluded` the new one, as in `stored.read_at < excluded.read_at`.
    pub fn only_if(table: &str, key: &[(&str, &str)], others: &[(&str, &str, OnConflict)], condition: &str) -> Upsert {
        Upsert { sql: statement(table, key, others, Some(condition)) }
    }

    /// The statement. Its parameters are arrays: those of the key, then the others.
    pub fn sql(&self) -> &str {
        &self.sql
    }
}

fn statement(
    table: &str,
    key: &[(&str, &str)],
    others: &[(&str, &str, OnConflict)],
    condition: Option<&str>,
) -> String {
    let columns = key.iter().copied().chain(others.iter().map(|column| (column.0, column.1)));
    let columns: Vec<(String, &str)> = columns.map(|(name, kind)| (quoted(name), kind)).collect();
    let names = joined(columns.iter().map(|column| column.0.clone()));
    let arrays = joined(columns.iter().enumerate().map(|(index, column)| format!("${}::{}[]", index + 1, column.1)));
    let keys = joined(key.iter().map(|column| quoted(column.0)));
    let updates = joined(others.iter().filter_map(|(name, _, rule)| update(&quoted(name), *rule)));
    let mut sql = format!(
        "INSERT INTO {} AS stored ({names}) SELECT {names} FROM UNNEST({arrays}) AS new ({names}) ORDER BY {keys} \
         ON CONFLICT ({keys})",
        quoted(table)
    );
    // Writing to a string does not fail.
    let _ = match (updates.is_empty(), condition) {
        (true, _) => write!(sql, " DO NOTHING"),
        (false, None) => write!(sql, " DO UPDATE SET {updates}"),
        (false, Some(condition)) => write!(sql, " DO UPDATE SET {updates} WHERE {condition}"),
    };
    sql
}

fn update(name: &str, rule: OnConflict) -> Option<String> {
    match rule {
        OnConflict::Replace => Some(format!("{name} = excluded.{name}")),
        OnConflict::ReplaceUnlessNull => Some(format!("{name} = COALESCE(excluded.{name}, stored.{name})")),
        OnConflict::Greatest => Some(format!("{name} = GREATEST(excluded.{name}, stored.{name})")),
        OnConflict::Keep => None,
    }
}

/// Returns an identifier in the form in which it may have any characters.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_one_statement() {
        let others = [("chats", "integer", OnConflict::Greatest), ("name", "text", OnConflict::Keep)];
        assert_eq!(
            Upsert::new("minutes", &[("time", "timestamptz")], &others).sql(),
            "INSERT INTO \"minutes\" AS stored (\"time\", \"chats\", \"name\") SELECT \"time\", \"chats\", \"name\" FROM \
             UNNEST($1::timestamptz[], $2::integer[], $3::text[]) AS new (\"time\", \"chats\", \"name\") ORDER BY \"time\" \
             ON CONFLICT (\"time\") DO UPDATE SET \"chats\" = GREATEST(excluded.\"chats\", stored.\"chats\")"
        );
        let all_kept = Upsert::new("seen", &[("a\"b", "text")], &[]);
        assert!(all_kept.sql().ends_with("ON CONFLICT (\"a\"\"b\") DO NOTHING"), "{}", all_kept.sql());
    }
}
