//! Redaction: which parts of a request or an answer may appear in an error.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Uri};
use secrecy::{ExposeSecret, SecretString};

/// Replaces removed text.
const REMOVED: &str = "[removed]";

/// How many characters of a body an error may quote.
const EXCERPT_CHARACTERS: usize = 200;

/// A match of at least this many bytes with the beginning of a secret counts as part of it; a shorter one is chance.
const MIN_MATCH: usize = 4;

/// A run of token characters that contains a digit counts as a token from this length on.
const TOKEN_CHARACTERS: usize = 24;

/// Returns host and port of `uri`, without credentials, path or query.
pub(crate) fn host(uri: &Uri) -> String {
    match (uri.host(), uri.port_u16()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => String::from("an address without a host"),
    }
}

/// Creates a header value that `Debug` does not show.
pub(crate) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Returns the HTTP Basic form of `id` and `secret`.
pub(crate) fn basic(id: &str, secret: &SecretString) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{}", secret.expose_secret())))
}

/// Marks a request whose body holds a secret.
#[derive(Clone)]
pub(crate) struct SecretInBody(pub(crate) SecretString);

/// Returns every secret that `request` carries, so that an upstream that echoes one cannot put it into an error.
pub(crate) fn secrets_of(request: &http::Request<Bytes>) -> Vec<SecretString> {
    let mut secrets = Vec::new();
    if let Some(SecretInBody(secret)) = request.extensions().get() {
        // The body carries it encoded, and the upstream may echo either form.
        let encoded: String = url::form_urlencoded::byte_serialize(secret.expose_secret().as_bytes()).collect();
        secrets.push(SecretString::from(encoded));
        secrets.push(secret.clone());
    }
    for (name, value) in request.headers() {
        if let Ok(text) = value.to_str()
            && (name == AUTHORIZATION || value.is_sensitive())
        {
            secrets.push(SecretString::from(text));
            let credentials = text.split_once(' ').map_or(text, |(_, credentials)| credentials);
            secrets.push(SecretString::from(credentials));
            secrets.extend(basic_secret(credentials));
        }
    }
    // Longest first: a shorter secret may be part of a longer one.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
    secrets
}

fn basic_secret(credentials: &str) -> Option<SecretString> {
    let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    decoded.split_once(':').map(|(_, secret)| SecretString::from(secret))
}

/// Returns the first printable characters of `body`, without `secrets` and without anything that looks like a token.
pub(crate) fn excerpt(body: &[u8], secrets: &[SecretString]) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    for secret in secrets {
        let secret = secret.expose_secret();
        if !secret.is_empty() {
            text = text.replace(secret, REMOVED);
        }
        if let Some(start) = partial_secret_start(secret, &text) {
            text.replace_range(start.., REMOVED);
        }
    }
    let printable: String =
        text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let words: Vec<&str> = printable.split_whitespace().collect();
    let clean = without_tokens(&words.join(" "));
    match clean.char_indices().nth(EXCERPT_CHARACTERS) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None if clean.is_empty() => String::from("(empty body)"),
        None => clean,
    }
}

/// Returns the position at which `text`, which may be cut off, ends with the beginning of `secret`.
fn partial_secret_start(secret: &str, text: &str) -> Option<usize> {
    let beginnings = secret.char_indices().rev().map(|(end, _)| &secret[..end]);
    let telling = beginnings.take_while(|beginning| beginning.len() >= MIN_MATCH);
    telling.filter_map(|beginning| text.strip_suffix(beginning)).map(str::len).next()
}

/// Returns `text` without the runs that are long and contain a digit, or that follow the word "bearer".
fn without_tokens(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    let mut after_bearer = false;
    while let Some(first) = rest.chars().next() {
        let length = if is_token_character(first) {
            rest.find(|character| !is_token_character(character)).unwrap_or(rest.len())
        } else {
            rest.find(is_token_character).unwrap_or(rest.len())
        };
        let (run, remainder) = rest.split_at(length);
        if is_token_character(first) {
            let looks_random = run.len() >= TOKEN_CHARACTERS && run.bytes().any(|byte| byte.is_ascii_digit());
            clean.push_str(if after_bearer || looks_random { REMOVED } else { run });
            after_bearer = run.eq_ignore_ascii_case("bearer");
        } else {
            clean.push_str(run);
        }
        rest = remainder;
    }
    clean
}

fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_.+~=%".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_says_nothing_of_credentials_path_or_query() {
        let uri = Uri::from_static("https://user:pass@api.example:8443/path?token=1");
        assert_eq!(host(&uri), "api.example:8443");
        assert_eq!(host(&Uri::from_static("https://api.example/x")), "api.example");
    }

    #[test]
    fn an_excerpt_is_short_printable_and_without_secrets() {
        let secrets = [SecretString::from("s3 cret")];
        assert_eq!(excerpt(b"a\r\n\x00b  s3 cret c", &secrets), "a b [removed] c");
        assert_eq!(excerpt(b" \n ", &secrets), "(empty body)");
        assert_eq!(excerpt(b"broken off in s3 cre", &secrets), "broken off in [removed]");
        assert_eq!(excerpt(b"it ends with s3 ", &secrets), "it ends with s3");
        let long = excerpt("ö ".repeat(5000).as_bytes(), &secrets);
        assert_eq!(long.chars().count(), EXCERPT_CHARACTERS + 1);
    }

    #[test]
    fn what_looks_like_a_token_is_removed() {
        let text = excerpt(b"sent Bearer abc, key=0123456789abcdef01234567 and eyJhbGci1.eyJzdWIi.c2lnbmF0dXJl", &[]);
        assert_eq!(text, "sent Bearer [removed], [removed] and [removed]");
        assert_eq!(excerpt(b"internationalisation/of/words is kept", &[]), "internationalisation/of/words is kept");
    }

    #[test]
    fn the_secrets_of_a_request_are_found_in_both_schemes_and_in_a_body() {
        let mut request = http::Request::new(Bytes::new());
        request.headers_mut().insert(AUTHORIZATION, sensitive(&basic("id", &"hunter2".into())).expect("header"));
        assert_eq!(excerpt(b"you sent hunter2", &secrets_of(&request)), "you sent [removed]");
        request.headers_mut().insert(AUTHORIZATION, sensitive("Bearer short").expect("header"));
        assert_eq!(excerpt(b"you sent short", &secrets_of(&request)), "you sent [removed]");
        request.extensions_mut().insert(SecretInBody(SecretString::from("a&b")));
        assert_eq!(excerpt(b"you sent a%26b, a&b", &secrets_of(&request)), "you sent [removed], [removed]");
    }
}
