//! Suggests players when a lookup finds none.

use std::collections::BTreeSet;
use std::path::Path;

use stint_warcraftlogs::addon::players;
use stint_warcraftlogs::lua::{Found, is_called};
use stint_warcraftlogs::model::Server;

/// The maximum number of suggestions.
const MAX_SUGGESTIONS: usize = 5;

/// The least similarity of two names, from 0 to 1. It allows one wrong letter in five.
const MIN_SIMILARITY: f64 = 0.85;

/// Returns the end of a sentence, such as `; did you mean Ånn of Tarren Mill?`.
pub(super) fn suggestion(folder: &Path, region: &str, server: &str, name: &str) -> anyhow::Result<String> {
    let mut candidates = Candidates::default();
    for player in players(folder, &region.to_ascii_uppercase())? {
        candidates.consider(&player?, server, name);
    }
    Ok(candidates.into_text(server))
}

/// The most similar players and servers of a region.
#[derive(Default)]
struct Candidates {
    /// The server of the previous player, and whether it is the requested one. Players are read server by server.
    current: Option<(Server, bool)>,
    server_exists: bool,
    /// Names on the requested server.
    neighbours: MostSimilar,
    /// Servers that have a player with exactly the requested name.
    namesakes: BTreeSet<String>,
    /// Servers with a name similar to the requested one.
    servers: MostSimilar,
}

impl Candidates {
    fn consider(&mut self, player: &Found, server: &str, name: &str) {
        let on_server = match &self.current {
            Some((current, on_server)) if *current == player.server => *on_server,
            _ => self.consider_server(&player.server, server),
        };
        if on_server {
            self.neighbours.add(&player.name, similarity(&player.name, name));
        } else if player.name == name && self.namesakes.len() < MAX_SUGGESTIONS {
            self.namesakes.insert(player.server.name.clone());
        }
    }

    fn consider_server(&mut self, server: &Server, named: &str) -> bool {
        let spellings = [&server.name, &server.slug, &server.normalized_name];
        let is_named = is_called(server, named);
        self.server_exists |= is_named;
        if !is_named {
            let similarity = spellings.map(|spelling| similarity(spelling, named)).into_iter().fold(0.0, f64::max);
            self.servers.add(&server.name, similarity);
        }
        self.current = Some((server.clone(), is_named));
        is_named
    }

    fn into_text(self, server: &str) -> String {
        if !self.server_exists {
            let servers = self.servers.names();
            let unknown = format!("; it has no server '{server}'");
            return if servers.is_empty() {
                unknown
            } else {
                format!("{unknown}, did you mean {}?", servers.join(", "))
            };
        }
        let mut text = String::new();
        let neighbours = self.neighbours.names();
        if !neighbours.is_empty() {
            text.push_str(&format!("; did you mean {}?", neighbours.join(", ")));
        }
        if !self.namesakes.is_empty() {
            let servers: Vec<String> = self.namesakes.into_iter().collect();
            text.push_str(&format!("; a player of that name is on {}", servers.join(", ")));
        }
        text
    }
}

/// The names most similar to the requested one.
#[derive(Default)]
struct MostSimilar(Vec<(f64, String)>);

impl MostSimilar {
    fn add(&mut self, name: &str, similarity: f64) {
        if similarity < MIN_SIMILARITY || self.0.iter().any(|(_, known)| known == name) {
            return;
        }
        let place = self.0.partition_point(|(known, _)| *known >= similarity);
        self.0.insert(place, (similarity, name.to_owned()));
        self.0.truncate(MAX_SUGGESTIONS);
    }

    fn names(self) -> Vec<String> {
        self.0.into_iter().map(|(_, name)| name).collect()
    }
}

/// Returns the similarity from 0 to 1, ignoring case.
fn similarity(one: &str, other: &str) -> f64 {
    strsim::jaro_winkler(&one.to_lowercase(), &other.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_and_a_wrong_case_are_similar_to_the_name() {
        assert!(similarity("Ånn", "ånn") >= MIN_SIMILARITY);
        assert!(similarity("Tarren Mill", "taren mill") >= MIN_SIMILARITY);
        assert!(similarity("Tarren Mill", "Ravencrest") < MIN_SIMILARITY);
    }

    #[test]
    fn the_most_similar_come_first_and_are_few() {
        let mut most_similar = MostSimilar::default();
        for (name, similarity) in [("a", 0.9), ("b", 0.99), ("c", 0.5), ("a", 0.9), ("d", 0.95)] {
            most_similar.add(name, similarity);
        }
        assert_eq!(most_similar.names(), ["b", "d", "a"]);
    }
}
