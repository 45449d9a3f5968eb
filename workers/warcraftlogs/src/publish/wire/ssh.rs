//! SSH: one run of the program `ssh` per connection, as git itself does it. So a user's `ssh` configuration applies
//! here too: known hosts, agents, and the host names and proxies of `~/.ssh/config`.
//! <https://git-scm.com/docs/pack-protocol#_ssh_transport>

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Socket;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use url::Url;

use super::session::Session;
use super::stream::{self, Carrier};
use crate::publish::credentials::percent_decode;

/// How much of the program's error output is kept: the end.
const MAX_SAID: usize = 4 << 10;

/// The user if the address names none, as at every host of git repositories.
const USER: &str = "git";

/// The command to run `ssh`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SshCommand {
    /// The program, and its first arguments.
    pub(crate) program: Vec<String>,
    /// The private key to use in place of the agent's.
    pub(crate) key: Option<PathBuf>,
}

impl Default for SshCommand {
    fn default() -> SshCommand {
        SshCommand { program: vec!["ssh".to_owned()], key: None }
    }
}

impl SshCommand {
    /// Runs `ssh` without questions to the user, and without a connection that outlives it.
    fn command(&self, target: &Target, request: &str) -> Command {
        let mut command = self.alone();
        command.args(["-o", "BatchMode=yes", "-o", "ControlMaster=no"]);
        if let Some(key) = &self.key {
            command.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(key);
        }
        if let Some(port) = target.port {
            command.args(["-p", &port.to_string()]);
        }
        command.args(["--", &format!("{}@{}", target.user, target.host), request]);
        command
    }

    fn alone(&self) -> Command {
        let program = self.program.first().map_or("", String::as_str);
        let mut command = Command::new(program);
        command.args(self.program.iter().skip(1));
        command
    }

    fn missing(&self, error: &io::Error) -> String {
        let program = self.program.join(" ");
        format!(
            "cannot start '{program}': {error}; install the client of OpenSSH, or use an https:// address with GIT_TOKEN"
        )
    }
}

/// Checks that `ssh` can be run, if the address needs it.
pub(in crate::publish) fn check(address: &str) -> Result<(), String> {
    if Target::parse(address).is_none() {
        return Ok(());
    }
    let ssh = SshCommand::default();
    let mut command = ssh.alone();
    command.arg("-V").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().map(drop).map_err(|error| ssh.missing(&error))
}

/// Connects to a git server.
pub(super) struct Ssh(pub(super) Arc<Session>);

impl SmartSubtransport for Ssh {
    /// libgit2 calls this once per connection, for the list of references.
    fn action(&self, url: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        self.open(url, service).map_err(|error| super::network(&error))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

impl Ssh {
    fn open(&self, url: &str, service: Service) -> io::Result<Box<dyn SmartSubtransportStream>> {
        let Ssh(session) = self;
        let target = Target::parse(url).ok_or_else(|| io::Error::other("it is no address for SSH"))?;
        target.check()?;
        let request = format!("{} {}", super::program(service), quoted(&target.path));
        let running = Running::start(session, session.ssh.command(&target, &request))?;
        stream::open(running, session, service, &[])
    }
}

/// A running `ssh` process.
struct Running {
    process: Child,
    bytes: UnixStream,
    said: Arc<Mutex<Vec<u8>>>,
    /// Ends when the program closes its error output.
    listening: Option<JoinHandle<()>>,
}

impl Running {
    fn start(session: &Arc<Session>, mut command: Command) -> io::Result<Running> {
        let _within = session.runtime().enter();
        let (bytes, theirs) = pair()?;
        let (errors, their_errors) = pair()?;
        command.stdin(OwnedFd::from(theirs.try_clone()?)).stdout(OwnedFd::from(theirs));
        let started = command.stderr(OwnedFd::from(their_errors)).spawn();
        let process = started.map_err(|error| io::Error::other(session.ssh.missing(&error)))?;
        // This process's copies of the remote ends are closed with the command: only the program keeps them open.
        drop(command);
        let said = Arc::new(Mutex::new(Vec::new()));
        let listening = session.runtime().spawn(listen(errors, said.clone()));
        Ok(Running { process, bytes, said, listening: Some(listening) })
    }
}

/// The two ends of a local connection; the first one is for tokio.
fn pair() -> io::Result<(UnixStream, Socket)> {
    let (ours, theirs) = Socket::pair()?;
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, theirs))
}

/// Keeps the end of the program's error output, and discards the rest.
async fn listen(mut errors: UnixStream, said: Arc<Mutex<Vec<u8>>>) {
    let mut piece = [0; 1 << 10];
    // It does not matter what ends it.
    while let Ok(read @ 1..) = errors.read(&mut piece).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&piece[..read]);
        let surplus = said.len().saturating_sub(MAX_SAID);
        said.drain(..surplus);
    }
}

impl Carrier for Running {
    type Bytes = UnixStream;

    fn bytes(&mut self) -> &mut UnixStream {
        &mut self.bytes
    }

    fn why_it_ended(&mut self, session: &Session) -> Option<io::Error> {
        if let Some(listening) = self.listening.take()
            && let Err(error) = session.wait(async { listening.await.map_err(io::Error::other) })
        {
            return Some(error);
        }
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let said = super::one_line(&said);
        (!said.is_empty()).then(|| io::Error::other(format!("ssh says: {said}")))
    }
}

impl Drop for Running {
    /// There is nothing left to send, or the remote was abandoned.
    fn drop(&mut self) {
        // A program that has ended by itself does not need to be killed, but must still be waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The location of a repository.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    user: String,
    host: String,
    port: Option<u16>,
    path: String,
}

impl Target {
    /// Parses `ssh://user@host:port/path` and `user@host:path`. `None` if the address is not for SSH.
    fn parse(address: &str) -> Option<Target> {
        let Some((scheme, _)) = address.split_once("://") else { return Target::parse_short(address) };
        if !scheme.contains("ssh") {
            return None;
        }
        let url = Url::parse(address).ok()?;
        let user = Some(percent_decode(url.username())).filter(|user| !user.is_empty());
        let host = percent_decode(url.host_str()?.trim_matches(['[', ']']));
        let path = percent_decode(url.path());
        // `/~user/path` is relative to that user's home.
        let path = path.strip_prefix('/').filter(|path| path.starts_with('~')).map_or(path.clone(), str::to_owned);
        Some(Target { user: user.unwrap_or_else(|| USER.to_owned()), host, port: url.port(), path })
    }

    /// A host in brackets is an IPv6 address, or has a port.
    fn parse_short(address: &str) -> Option<Target> {
        let (user, rest) = match address.split_once('@').filter(|(user, _)| !user.contains(['/', ':', '['])) {
            Some((user, rest)) => (user, rest),
            None => (USER, address),
        };
        let (host, path) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once("]:")?,
            None => rest.split_once(':').filter(|(host, _)| !host.contains('/'))?,
        };
        let with_port = host.split_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = with_port.map_or((host, None), |(host, port)| (host, Some(port)));
        Some(Target { user: user.to_owned(), host: host.to_owned(), port, path: path.to_owned() })
    }

    /// A part that begins with a dash could be taken for an option, here or on the server.
    fn check(&self) -> io::Result<()> {
        let Target { user, host, path, .. } = self;
        for (what, text) in [("user", user), ("host", host), ("path", path)] {
            if text.is_empty() || text.starts_with('-') {
                return Err(io::Error::other(format!("the address has a {what} that is empty or begins with '-'")));
            }
        }
        Ok(())
    }
}

/// A path quoted as one word for the server's shell.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''").replace('!', r"'\!'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(user: &str, host: &str, port: Option<u16>, path: &str) -> Option<Target> {
        Some(Target { user: user.into(), host: host.into(), port, path: path.into() })
    }

    #[test]
    fn both_forms_of_address_are_read() {
        for (address, expected) in [
            ("ssh://me@host:2222/srv/a.git", target("me", "host", Some(2222), "/srv/a.git")),
            ("ssh://host/a%20b.git", target("git", "host", None, "/a b.git")),
            ("git+ssh://me@host/~you/a.git", target("me", "host", None, "~you/a.git")),
            ("ssh://me@[::1]:22/a", target("me", "::1", Some(22), "/a")),
            ("git@host:you/a.git", target("git", "host", None, "you/a.git")),
            ("host:/srv/a@b.git", target("git", "host", None, "/srv/a@b.git")),
            ("me@[host:2222]:a.git", target("me", "host", Some(2222), "a.git")),
            ("me@[::1]:a.git", target("me", "::1", None, "a.git")),
            ("https://host/a.git", None),
            ("/srv/a:b.git", None),
            ("./a:b", None),
        ] {
            assert_eq!(Target::parse(address), expected, "{address}");
        }
    }

    #[test]
    fn nothing_of_an_address_is_an_option_or_a_command() {
        for address in ["ssh://-oProxyCommand=x/a", "-oProxyCommand=x:a", "-l@host:a", "host:--upload-pack=x", "host:"]
        {
            assert!(Target::parse(address).unwrap().check().is_err(), "{address}");
        }
        let target = Target::parse("host:a'; rm -rf ~ !").unwrap();
        target.check().unwrap();
        assert_eq!(quoted(&target.path), r"'a'\''; rm -rf ~ '\!''");
    }

    #[test]
    fn ssh_is_run_without_questions_and_with_the_key_of_the_settings() {
        let arguments = |ssh: &SshCommand, address: &str| {
            let command = ssh.command(&Target::parse(address).unwrap(), "git-upload-pack '/a'");
            let arguments = command.get_args().map(|argument| argument.to_str().unwrap().to_owned());
            arguments.collect::<Vec<_>>().join(" ")
        };
        let plain = arguments(&SshCommand::default(), "git@host:a");
        assert_eq!(plain, "-o BatchMode=yes -o ControlMaster=no -- git@host git-upload-pack '/a'");
        let ssh = SshCommand { key: Some("/keys/id".into()), ..SshCommand::default() };
        let with_key = arguments(&ssh, "ssh://host:2222/a");
        assert!(with_key.contains("-o IdentitiesOnly=yes -i /keys/id -p 2222 -- git@host "), "{with_key}");
    }
}
