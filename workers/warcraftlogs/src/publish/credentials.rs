//! The credentials for a remote, which must never appear in a text.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Replaces a secret.
const HIDDEN: &str = "***";
/// The user name sent with a token, where only the token counts (GitHub, GitLab and Gitea accept any name).
const TOKEN_USER: &str = "x-access-token";

/// A remote's address, with its credentials kept apart.
pub(super) struct Address {
    /// For libgit2: without user and token if it is HTTP, so that libgit2's messages do not contain them.
    pub(super) url: String,
    /// For people.
    pub(super) shown: String,
    user: Option<String>,
    token: Option<SecretString>,
}

impl Address {
    /// Takes user and token out of an HTTP address; `token` is used when it has none.
    pub(super) fn new(url: &str, token: Option<&SecretString>) -> Address {
        let mut address = Address { url: url.to_owned(), shown: redact(url), user: None, token: token.cloned() };
        let Some(mut parsed) = Url::parse(url).ok().filter(|parsed| matches!(parsed.scheme(), "http" | "https")) else {
            return address;
        };
        if !parsed.username().is_empty() {
            address.user = Some(percent_decode(parsed.username()));
        }
        if let Some(password) = parsed.password() {
            address.token = Some(percent_decode(password).into());
        }
        if parsed.set_username("").and_then(|()| parsed.set_password(None)).is_ok() {
            address.url = parsed.into();
        }
        address
    }

    /// The user and token to send over HTTP, if there are any.
    pub(super) fn login(&self) -> Option<(&str, &str)> {
        let token = self.token.as_ref().map(|token| token.expose_secret());
        match (self.user.as_deref(), token) {
            (None, None) => None,
            (user, token) => Some((user.unwrap_or(TOKEN_USER), token.unwrap_or_default())),
        }
    }

    /// A message from libgit2 or the remote, without secrets.
    pub(super) fn scrub(&self, text: &str) -> String {
        let secrets = [self.user.as_deref(), self.token.as_ref().map(|token| token.expose_secret())];
        let text = secrets
            .into_iter()
            .flatten()
            .filter(|secret| !secret.is_empty())
            .fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN));
        text.split(' ').map(redact).collect::<Vec<_>>().join(" ")
    }
}

/// An address without user, token and query: `https://***@host/path`.
pub fn redact(url: &str) -> String {
    if let Some((scheme, rest)) = url.split_once("://") {
        // The last '@' anywhere: a password may contain an unescaped '/' or '@'.
        let (hidden, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("***@", rest));
        let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, _)| (rest, "?***"));
        return format!("{scheme}://{hidden}{rest}{query}");
    }
    match url.split_once('@') {
        Some((user, rest)) if rest.contains(':') && !user.contains('/') => format!("{HIDDEN}@{rest}"),
        _ => url.to_owned(),
    }
}

/// Decodes `%40` and the like with the decoder for forms; characters that are special only in forms are escaped first.
pub(super) fn percent_decode(text: &str) -> String {
    let escaped = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(escaped.as_bytes()).map(|(decoded, _)| decoded.into_owned()).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_address_shows_its_secret() {
        for (address, shown) in [
            ("https://user:hunter2@host/a.git", "https://***@host/a.git"),
            ("https://hunter2@host/a.git?key=hunter2", "https://***@host/a.git?***"),
            ("https://user:hun/ter2@x@host/a.git", "https://***@host/a.git"),
            ("ssh://git@host:22/a.git", "ssh://***@host:22/a.git"),
            ("git@host:a.git", "***@host:a.git"),
            ("/srv/a@b/c.git", "/srv/a@b/c.git"),
            ("file:///srv/a.git", "file:///srv/a.git"),
        ] {
            assert_eq!(redact(address), shown);
        }
    }

    #[test]
    fn an_http_address_is_taken_apart_and_scrubbed_from_messages() {
        let address = Address::new("https://bot:hunter%402@host/a.git", None);
        assert_eq!(address.url, "https://host/a.git");
        assert_eq!(
            address.scrub("401 for bot with hunter@2 at https://x:y@z/"),
            "401 for *** with *** at https://***@z/"
        );
    }
}
