//! The id of a worker: its fleet and its name.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

/// The id of a worker: its fleet and its name in that fleet, written `fleet/name`. Two fleets may both have a worker `api`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId {
    /// The fleet that it belongs to.
    pub fleet: Cow<'static, str>,
    /// Its name, unique in the fleet.
    pub name: Cow<'static, str>,
}

impl WorkerId {
    /// Creates the id of the worker `name` of `fleet`.
    pub const fn new(fleet: &'static str, name: &'static str) -> WorkerId {
        WorkerId { fleet: Cow::Borrowed(fleet), name: Cow::Borrowed(name) }
    }

    /// Creates an id from names that were read from a store or a message.
    pub fn read(fleet: impl Into<String>, name: impl Into<String>) -> WorkerId {
        WorkerId { fleet: Cow::Owned(fleet.into()), name: Cow::Owned(name.into()) }
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.fleet, self.name)
    }
}

impl FromStr for WorkerId {
    type Err = String;

    fn from_str(text: &str) -> Result<WorkerId, String> {
        match text.split_once('/') {
            Some((fleet, name)) if !fleet.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(WorkerId::read(fleet, name))
            }
            _ => Err(format!("'{text}' is not a worker's fleet and its name with a slash between them")),
        }
    }
}

impl Serialize for WorkerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WorkerId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WorkerId, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_its_fleet_and_its_name() {
        let id = WorkerId::new("poe-stashes", "follower");
        assert_eq!(id.to_string(), "poe-stashes/follower");
        assert_eq!("poe-stashes/follower".parse(), Ok(id.clone()));
        assert_eq!(serde_json::to_value(&id).unwrap(), "poe-stashes/follower");
        assert_eq!(serde_json::from_str::<WorkerId>("\"poe-stashes/follower\"").unwrap(), id);
        for text in ["", "follower", "/follower", "poe-stashes/", "poe/stashes/follower"] {
            assert!(text.parse::<WorkerId>().unwrap_err().contains("a slash between them"), "{text}");
        }
    }
}
