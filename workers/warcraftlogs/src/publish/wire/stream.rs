//! One connection for a whole exchange: the list of references, then a fetch or a push.

use std::io::{self, BufReader, Cursor, Read, Write};
use std::sync::Arc;

use git2::transport::{Service, SmartSubtransportStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::meter::Meter;
use super::references;
use super::session::Session;

/// A transport that carries bytes to a server and back.
pub(super) trait Carrier: Send {
    /// The byte stream.
    type Bytes: AsyncRead + AsyncWrite + Send + Unpin;

    /// Returns the byte stream.
    fn bytes(&mut self) -> &mut Self::Bytes;

    /// Why the stream has ended, if that is known. Called after its end.
    fn why_it_ended(&mut self, _session: &Session) -> Option<io::Error> {
        None
    }
}

/// A connection, and the list that was read from it in advance.
struct Stream<C: Carrier> {
    list: Cursor<Vec<u8>>,
    connection: BufReader<Connection<C>>,
    /// For a fetch.
    meter: Option<Meter>,
    /// Why nothing more is read. libgit2 sends a goodbye to the server even then; if the server has already
    /// disconnected, libgit2 would report that failure instead of this one.
    failed: Option<(io::ErrorKind, String)>,
}

struct Connection<C> {
    carrier: C,
    session: Arc<Session>,
}

/// Sends `request`, reads the list of references, and passes on what follows.
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
    Ok(Box::new(Stream { list, connection, meter: is_fetch.then(|| Meter::new(session)), failed: None }))
}

impl<C: Carrier> Stream<C> {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match Read::read(&mut self.list, buffer)? {
            0 => {
                let read = Read::read(&mut self.connection, buffer)?;
                self.meter.as_mut().map_or(Ok(()), |meter| meter.take(&buffer[..read])).map(|()| read)
            }
            read => Ok(read),
        }
    }
}

impl<C: Carrier> Read for Stream<C> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill(buffer);
        if let Err(error) = &read {
            self.failed = Some((error.kind(), error.to_string()));
        }
        read
    }
}

impl<C: Carrier> Write for Stream<C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.failed {
            Some((kind, reason)) => Err(io::Error::new(*kind, reason.clone())),
            None => self.connection.get_mut().write(bytes),
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use stint_core::clock::{Clock, ManualClock};
    use tokio::io::{DuplexStream, duplex};
    use tokio::runtime::Runtime;

    use super::*;
    use crate::publish::credentials::Address;
    use crate::publish::wire::{Limits, SshCommand};

    const LIST: &[u8] = b"003d0123456789012345678901234567890123456789 refs/heads/main\n0000";

    struct Pipe(DuplexStream);

    impl Carrier for Pipe {
        type Bytes = DuplexStream;

        fn bytes(&mut self) -> &mut DuplexStream {
            &mut self.0
        }
    }

    #[test]
    fn a_goodbye_that_comes_too_late_does_not_hide_why_the_reading_ended() {
        let runtime = Runtime::new().unwrap();
        let _within = runtime.enter();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let (minute, bytes) = (Duration::from_secs(60), LIST.len() as u64);
        let limits = Limits { deadline: minute, silence: minute, bytes, objects: 1, unpacked: bytes };
        let address = Arc::new(Address::new("git://host/a.git", None));
        let session = Session::begin(&clock, limits, &address, "main", SshCommand::default());
        let (ours, mut theirs) = duplex(1 << 10);
        runtime.block_on(theirs.write_all(LIST)).unwrap();
        let mut stream = open(Pipe(ours), &session, Service::UploadPackLs, b"").unwrap();
        let mut buffer = [0; 100];
        assert_eq!(stream.read(&mut buffer).unwrap(), LIST.len());
        runtime.block_on(theirs.write_all(b"one byte more than the limit")).unwrap();
        drop(theirs);
        let reason = stream.read(&mut buffer).unwrap_err().to_string();
        assert!(reason.starts_with("it sends more than"), "{reason}");
        assert_eq!(stream.write(b"0000").unwrap_err().to_string(), reason);
    }
}
