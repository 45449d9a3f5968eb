//! Matches server names as users write them.

use stint_warcraftlogs::lua::is_called;
use stint_warcraftlogs::model::Server;

/// Returns the server in `servers` that `name` refers to, in any spelling. Case is ignored in all scripts, unlike in
/// the databases, where Lua knows only the case of ASCII letters.
pub(super) fn known<'a>(name: &str, mut servers: impl Iterator<Item = &'a Server>) -> Option<&'a Server> {
    let name = name.to_lowercase();
    servers.find(|Server { name: own, slug, normalized_name }| {
        let [own, slug, normalized_name] = [own, slug, normalized_name].map(|spelling| spelling.to_lowercase());
        is_called(&Server { name: own, slug, normalized_name }, &name)
    })
}

/// Returns the slug that the upstream derives from most names: `mal-ganis` from `Mal Ganis`, `malganis` from
/// `Mal'Ganis`.
pub(super) fn likely_slug(name: &str) -> String {
    let words = name.to_lowercase();
    let slug = words.split_whitespace().collect::<Vec<_>>().join("-");
    slug.chars().filter(|letter| letter.is_alphanumeric() || *letter == '-').collect()
}

/// Returns the slug of the server that `name` refers to: that of a stored player's server, or else the one that the
/// upstream derives from most names.
pub(super) fn slug(name: &str, servers: &[Server]) -> String {
    known(name, servers.iter()).map_or_else(|| likely_slug(name), |server| server.slug.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str, slug: &str) -> Server {
        Server { name: name.into(), slug: slug.into(), normalized_name: name.replace([' ', '-'], "") }
    }

    #[test]
    fn a_server_is_known_by_any_spelling() {
        let servers = [server("Гордунни", "gordunni"), server("Tarren Mill", "tarren-mill")];
        for (name, expected) in [
            ("гордунни", Some("gordunni")),
            ("Gordunni", Some("gordunni")),
            (" tarren  mill", Some("tarren-mill")),
            ("TARRENMILL", Some("tarren-mill")),
            ("tarren-mill", Some("tarren-mill")),
            ("Kazzak", None),
            ("", None),
        ] {
            assert_eq!(known(name, servers.iter()).map(|server| server.slug.as_str()), expected, "{name}");
        }
    }

    #[test]
    fn a_slug_is_derived_from_a_name() {
        for (name, expected) in [
            ("Tarren  Mill", "tarren-mill"),
            ("Mal'Ganis", "malganis"),
            ("Mal\u{2019}Ganis ", "malganis"),
            ("Azjol-Nerub", "azjol-nerub"),
            ("Aggra (Português)", "aggra-português"),
        ] {
            assert_eq!(likely_slug(name), expected);
        }
    }
}
