//! When two spellings mean the same server.

use crate::model::Server;

/// Whether a server has this name. Spaces, hyphens, apostrophes (straight or curly) and the case of ASCII letters do
/// not matter: clients, sites and players differ in them. `Stint.lua` compares in the same way.
pub fn is_called(server: &Server, name: &str) -> bool {
    let wanted = folded(name);
    !wanted.is_empty()
        && [&server.normalized_name, &server.name, &server.slug].into_iter().any(|own| folded(own) == wanted)
}

fn folded(name: &str) -> String {
    let ignored = [' ', '-', '\'', '\u{2018}', '\u{2019}'];
    name.chars().filter(|letter| !ignored.contains(letter)).map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_server_are_one() {
        let server =
            |name: &str| Server { name: name.into(), slug: "kelthuzad".into(), normalized_name: "KelThuzad".into() };
        for name in ["Kel'Thuzad", "Kel\u{2019}Thuzad", "kel\u{2018}thuzad", "KELTHUZAD", "kel-thuzad", "Kel Thuzad"] {
            assert!(is_called(&server("Kel'Thuzad"), name), "{name}");
        }
        for name in ["", "-", "Kel", "Kel'Thuzad 2", "Kél'Thuzad"] {
            assert!(!is_called(&server("Kel'Thuzad"), name), "{name}");
        }
        assert!(is_called(&server("Гордунни"), "Гордунни") && !is_called(&server("Гордунни"), "гордунни"));
    }
}
