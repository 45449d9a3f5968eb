//! `git://`: one connection for a whole exchange. <https://git-scm.com/docs/pack-protocol#_git_transport>

use std::io;
use std::sync::Arc;

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};
use tokio::net::TcpStream;
use url::Url;

use super::session::Session;
use super::stream::{self, Carrier};

/// The port of `git daemon`.
const PORT: u16 = 9418;

/// Connects to a git server.
pub(super) struct Tcp(pub(super) Arc<Session>);

impl SmartSubtransport for Tcp {
    /// libgit2 calls this once per connection, for the list of references.
    fn action(&self, url: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        self.open(url, service).map_err(|error| super::network(&error))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

impl Tcp {
    fn open(&self, url: &str, service: Service) -> io::Result<Box<dyn SmartSubtransportStream>> {
        let Tcp(session) = self;
        let url = Url::parse(url).map_err(io::Error::other)?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let connection = session.wait(TcpStream::connect((host.as_str(), url.port().unwrap_or(PORT))))?;
        let named = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let request = format!("{} {}\0host={named}\0", super::program(service), url.path());
        stream::open(connection, session, service, format!("{:04x}{request}", request.len() + 4).as_bytes())
    }
}

impl Carrier for TcpStream {
    type Bytes = TcpStream;

    fn bytes(&mut self) -> &mut TcpStream {
        self
    }
}
