//! `git://`: one connection for all that is said.
//! <https://git-scm.com/docs/pack-protocol#_git_transport>

use std::io::{self, BufReader, Cursor, Read, Write};
use std::sync::Arc;

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use super::references;
use super::session::Session;

/// Where `git daemon` listens.
const PORT: u16 = 9418;

/// Connects to a git server.
pub(super) struct Tcp(pub(super) Arc<Session>);

/// A connection, and what was read ahead of it.
struct Stream {
    list: Cursor<Vec<u8>>,
    connection: BufReader<Connection>,
}

struct Connection {
    stream: TcpStream,
    session: Arc<Session>,
}

impl SmartSubtransport for Tcp {
    /// libgit2 asks once for each connection, for the list of references.
    fn action(&self, url: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let service = match service {
            Service::UploadPackLs | Service::UploadPack => "git-upload-pack",
            Service::ReceivePackLs | Service::ReceivePack => "git-receive-pack",
        };
        let stream = Stream::open(&self.0, url, service);
        Ok(Box::new(stream.map_err(|error| super::http::network(&error))?))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

impl Stream {
    fn open(session: &Arc<Session>, url: &str, service: &str) -> io::Result<Stream> {
        let url = Url::parse(url).map_err(io::Error::other)?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let stream = session.wait(TcpStream::connect((host.as_str(), url.port().unwrap_or(PORT))))?;
        let mut connection = Connection { stream, session: session.clone() };
        let named = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let request = format!("{service} {}\0host={named}\0", url.path());
        connection.write_all(format!("{:04x}{request}", request.len() + 4).as_bytes())?;
        let mut connection = BufReader::new(connection);
        let list = references::read(&mut connection, 1, &session.branch)?;
        Ok(Stream { list: Cursor::new(list), connection })
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match Read::read(&mut self.list, buffer)? {
            0 => Read::read(&mut self.connection, buffer),
            read => Ok(read),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.connection.get_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.session.wait(self.stream.read(buffer))?;
        self.session.count(read).map(|()| read)
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.session.wait(self.stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
