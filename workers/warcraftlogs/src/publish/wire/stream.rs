//! One connection for all that is said: a list of references, then a fetch or a push.

use std::io::{self, BufReader, Cursor, Read, Write};
use std::sync::Arc;

use git2::transport::{Service, SmartSubtransportStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::meter::Meter;
use super::references;
use super::session::Session;

/// What carries bytes to a server and back.
pub(super) trait Carrier: Send {
    /// The bytes.
    type Bytes: AsyncRead + AsyncWrite + Send + Unpin;

    /// The way to them.
    fn bytes(&mut self) -> &mut Self::Bytes;

    /// Why there are no more bytes, if that is known. Asked once they have ended.
    fn why_it_ended(&mut self, _session: &Session) -> Option<io::Error> {
        None
    }
}

/// A connection, and the list that was read ahead of it.
struct Stream<C: Carrier> {
    list: Cursor<Vec<u8>>,
    connection: BufReader<Connection<C>>,
    /// Of a fetch.
    meter: Option<Meter>,
}

struct Connection<C> {
    carrier: C,
    session: Arc<Session>,
}

/// Sends `request`, reads the list of references, and hands on what comes then.
pub(super) fn open<C: Carrier + 'static>(
    carrier: C,
    session: &Arc<Session>,
    service: Service,
    request: &[u8],
) -> io::Result<Box<dyn SmartSubtransportStream>> {
    let mut connection = Connection { carrier, session: session.clone() };
    connection.write_all(request)?;
    let mut connection = BufReader::new(connection);
    let list = Cursor::new(references::read(&mut connection, 1, &session.branch)?);
    let is_fetch = matches!(service, Service::UploadPackLs | Service::UploadPack);
    Ok(Box::new(Stream { list, connection, meter: is_fetch.then(|| Meter::new(session)) }))
}

impl<C: Carrier> Read for Stream<C> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match Read::read(&mut self.list, buffer)? {
            0 => {
                let read = Read::read(&mut self.connection, buffer)?;
                self.meter.as_mut().map_or(Ok(()), |meter| meter.take(&buffer[..read])).map(|()| read)
            }
            read => Ok(read),
        }
    }
}

impl<C: Carrier> Write for Stream<C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.connection.get_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<C: Carrier> Read for Connection<C> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.session.wait(self.carrier.bytes().read(buffer))? {
            0 if !buffer.is_empty() => self.carrier.why_it_ended(&self.session).map_or(Ok(0), Err),
            read => self.session.count(read).map(|()| read),
        }
    }
}

impl<C: Carrier> Write for Connection<C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.session.wait(self.carrier.bytes().write(bytes));
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(self.carrier.why_it_ended(&self.session).unwrap_or(error))
            }
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
