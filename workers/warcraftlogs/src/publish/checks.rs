//! Checks a publisher's settings at start, since an error in the first publication a day later would go unnoticed.

use std::fs::File;
use std::path::{Path, PathBuf};

use git2::{Branch, Repository, Signature, Time};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::wire::check_ssh;

/// The URL schemes that git accepts.
const SCHEMES: [&str; 7] = ["https", "http", "ssh", "git", "file", "git+ssh", "ssh+git"];

/// Names in a folder of references may have 255 bytes on most file systems, including the suffix of their lock files.
const MAX_BRANCH: usize = 200;

/// Checks for errors that a publication would otherwise meet a day later. The error names the setting.
pub(crate) fn check_publishing(
    repository: Option<&SecretString>,
    token: Option<&SecretString>,
    key: Option<&Path>,
    folders: [(&str, &Option<PathBuf>); 2],
) -> Result<(), String> {
    let named = |setting: &str, checked: Option<Result<(), String>>| {
        checked.unwrap_or(Ok(())).map_err(|reason| format!("{setting}: {reason}"))
    };
    named("LUA_REPOSITORY", repository.map(|address| check_repository(address.expose_secret())))?;
    named("GIT_TOKEN", token.map(|token| check_token(token.expose_secret())))?;
    named("GIT_SSH_KEY", key.map(check_key))?;
    folders.into_iter().try_for_each(|(setting, folder)| named(setting, folder.as_deref().map(check_folder)))
}

/// Checks a repository's address. The error contains only its scheme, since the rest may contain a secret.
pub(crate) fn check_address(address: &str) -> Result<(), String> {
    if address.trim().is_empty() || address.chars().any(char::is_control) {
        return Err("it is empty, or has a line break or another control character in it".into());
    }
    let Some((scheme, _)) = address.split_once("://") else { return Ok(()) };
    if !SCHEMES.contains(&scheme) {
        let known = SCHEMES.map(|scheme| format!("{scheme}://")).join(", ");
        return Err(format!(
            "'{scheme}://' is no address that git takes; it takes {known}, user@host:path, and a path"
        ));
    }
    let url = Url::parse(address).map_err(|error| format!("it is no address: {error}"))?;
    if scheme != "file" && url.host_str().is_none_or(str::is_empty) {
        return Err("it names no host".into());
    }
    if url.path().trim_matches('/').is_empty() {
        return Err("it names a host, and no repository there".into());
    }
    Ok(())
}

/// Checks that the repository exists if it is on this machine, and that `ssh` can be run if the address needs it.
fn check_repository(address: &str) -> Result<(), String> {
    let Some(path) = local_path(address) else { return check_ssh(address) };
    match Repository::open(&path) {
        Ok(repository) if repository.is_bare() => Ok(()),
        Ok(_) => Err(format!(
            "{} is a repository with a working tree, which cannot be pushed to; create one with 'git init --bare'",
            path.display()
        )),
        Err(_) => {
            let path = path.display();
            Err(format!("there is no git repository at {path}; create one with 'git init --bare {path}'"))
        }
    }
}

/// The path if an address is one, or a `file://` address.
pub(super) fn local_path(address: &str) -> Option<PathBuf> {
    match address.split_once("://") {
        Some(("file", _)) => Url::parse(address).ok()?.to_file_path().ok(),
        Some(_) => None,
        // As in git: a colon before the first slash ends a host.
        None if address.split('/').next().is_some_and(|start| start.contains(':')) => None,
        None => Some(address.into()),
    }
}

/// Checks a branch's name. Git refuses some names, so no push to such a branch would ever succeed.
pub(crate) fn parse_branch(name: &str) -> Result<String, String> {
    let is_plain = name.len() <= MAX_BRANCH && !name.chars().any(char::is_control);
    let is_valid = is_plain && Branch::name_is_valid(name).unwrap_or(false);
    is_valid.then(|| name.to_owned()).ok_or_else(|| {
        "git takes no branch of this name; use letters, digits, '-', '_' and single '/', such as main or databases/eu"
            .into()
    })
}

/// Checks an author's name.
pub(crate) fn parse_author(name: &str) -> Result<String, String> {
    check_signature(name, "stint@localhost").map(|()| name.to_owned())
}

/// Checks an author's email address.
pub(crate) fn parse_email(address: &str) -> Result<String, String> {
    check_signature("Stint", address).map(|()| address.to_owned())
}

fn check_signature(name: &str, email: &str) -> Result<(), String> {
    let has_control = name.chars().chain(email.chars()).any(char::is_control);
    let signature = Signature::new(name, email, &Time::new(0, 0));
    match signature {
        Ok(_) if !has_control => Ok(()),
        _ => Err("git takes no author whose name or address is empty, or has '<', '>' or a line break in it".into()),
    }
}

/// Checks that a key can be read.
fn check_key(path: &Path) -> Result<(), String> {
    let opened = File::open(path).and_then(|file| file.metadata());
    match opened {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(format!("{} is no file", path.display())),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

/// Checks a token. It is sent as a header, which a line break would end.
fn check_token(token: &str) -> Result<(), String> {
    match token.is_empty() || token.chars().any(|char| char.is_control() || char.is_whitespace()) {
        true => Err("it is empty, or has a blank or a line break in it".into()),
        false => Ok(()),
    }
}

/// Checks that a path can be a folder: it may be created later.
fn check_folder(path: &Path) -> Result<(), String> {
    match path.exists() && !path.is_dir() {
        true => Err(format!("{} is a file, and no folder", path.display())),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn an_address_that_git_cannot_take_is_refused_without_showing_it() {
        for good in [
            "https://you:hunter2@example.org/a.git",
            "http://[::1]:8080/a",
            "git@example.org:a.git",
            "ssh://git@host:22/a.git",
            "git://host/a",
            "/srv/a.git",
            "a.git",
            "file:///srv/a.git",
        ] {
            assert_eq!(check_address(good), Ok(()), "{good}");
        }
        for (bad, reason) in [
            ("ftp://you:hunter2@x/a", "'ftp://' is no address"),
            ("https://", "no address"),
            ("https://example.org", "no repository there"),
            ("https://example.org/", "no repository there"),
            ("ssh:///a", "no host"),
            ("https://you:hunter2@exa mple.org/a", "no address"),
            ("", "empty"),
            ("https://host/a\n", "line break"),
        ] {
            let error = check_address(bad).unwrap_err();
            assert!(error.contains(reason) && !error.contains("hunter2"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_branch_is_what_git_takes_for_one() {
        for name in [
            "main",
            "a..b",
            "a b",
            "-a",
            "HEAD",
            "a.lock",
            "a//b",
            "/a",
            "a/",
            "a/.b",
            "a@{b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[b",
            "a\\b",
            "a.",
            "",
            "databases/eu",
            "données",
            "a-b_c.d",
            "@",
            "a/b.lock/c",
            "refs/heads/a",
            "a\u{7f}",
        ] {
            let git = Command::new("git").args(["check-ref-format", "--branch", name]).output().unwrap();
            assert_eq!(parse_branch(name).is_ok(), git.status.success(), "{name:?}");
        }
        assert!(parse_branch(&"a".repeat(300)).is_err());
    }

    #[test]
    fn an_author_is_what_git_takes_for_one() {
        assert_eq!(parse_author("Zoë of Stint").as_deref(), Ok("Zoë of Stint"));
        assert_eq!(parse_email("zoe@example.org").as_deref(), Ok("zoe@example.org"));
        for bad in ["", " ", "<", "a>b", "a\nb"] {
            assert!(parse_author(bad).is_err() && parse_email(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_repository_on_this_machine_has_to_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        Repository::init_bare(path("bare.git")).unwrap();
        Repository::init(path("tree")).unwrap();
        let check = |name: &str| check_repository(path(name).to_str().unwrap());
        assert_eq!(check("bare.git"), Ok(()));
        assert_eq!(check_repository(Url::from_file_path(path("bare.git")).unwrap().as_str()), Ok(()));
        assert!(check("tree").unwrap_err().contains("working tree"));
        assert!(check("absent").unwrap_err().contains("git init --bare"));
        assert_eq!(check_repository("https://example.org/a.git"), Ok(()));
        assert_eq!(check_repository("git@example.org:a.git"), Ok(()));
    }
}
