//! Names with values, in order and with repetitions: headers, and the query of a request.

/// Headers or query values, in the order in which they were sent. A name may occur several times. The names of headers are in
/// lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Returns the first value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Returns all values of `name`, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Returns whether there is a value of `name`.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Adds a value; others of the same name are kept.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// Sets a value; others of the same name are removed.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        self.remove(&name);
        self.0.push((name, value.into()));
    }

    /// Removes all values of `name`.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(other, _)| other != name);
    }

    /// Returns all names with their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Fields {
        Fields(fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_values_keep_their_order() {
        let mut fields: Fields = [("raid", "26"), ("page", "1"), ("raid", "27")].into_iter().collect();
        assert_eq!(fields.all("raid").collect::<Vec<_>>(), ["26", "27"]);
        assert_eq!((fields.get("page"), fields.get("Page")), (Some("1"), None));
        fields.set("raid", "28");
        fields.add("page", "2");
        assert_eq!(fields.iter().collect::<Vec<_>>(), [("page", "1"), ("raid", "28"), ("page", "2")]);
    }
}
