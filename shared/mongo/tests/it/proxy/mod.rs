//! A server that fails: a proxy before the real one, which refuses commands as a former primary does, loses answers of
//! commands that were applied, or does not answer.

mod wire;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;

use futures::channel::oneshot;
use stint_mongo::Mongo;
use stint_mongo::mongodb::bson::{Document, doc};
use stint_mongo::testing::TestDatabase;

use wire::Message;

/// What becomes of a command.
pub(crate) enum Fault {
    /// It is refused: the server is no longer primary.
    NotPrimary,
    /// The connection breaks before the server gets it.
    LoseCommand,
    /// The connection breaks after the server has applied it.
    LoseAnswer,
    /// The same, but not before the test says so. The test is told when the command is applied.
    LoseAnswerLater(oneshot::Sender<()>, mpsc::Receiver<()>),
    /// It is applied, and no answer comes. The connection stays open.
    Silence,
}

/// A proxy.
pub(crate) struct Proxy {
    address: SocketAddr,
    uri: String,
    state: Arc<State>,
}

struct State {
    behind: String,
    /// The faults of the next commands with this name and collection.
    faults: Mutex<VecDeque<(&'static str, &'static str, Fault)>>,
    seen: Mutex<Vec<Document>>,
    /// No command is forwarded any more.
    down: Mutex<bool>,
}

impl Proxy {
    /// Starts a proxy before the server of `database`.
    pub(crate) fn start(database: &TestDatabase) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let rest = database.uri().split_once("://").unwrap().1;
        let host = rest.split('/').next().unwrap();
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host).to_owned();
        let uri = database.uri().replace(&host, &address.to_string());
        let state = State { behind: host, faults: Mutex::default(), seen: Mutex::default(), down: Mutex::default() };
        let state = Arc::new(state);
        let serving = state.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), state) = (client, serving.clone()) else { return };
                // Either side may close the connection.
                thread::spawn(move || while state.exchange_all(&client).is_ok() {});
            }
        });
        Proxy { address, uri, state }
    }

    /// Returns connections through the proxy.
    pub(crate) async fn connect(&self, database: &TestDatabase) -> Mongo {
        TestDatabase::connect_to(&self.uri, database.name()).await
    }

    /// The address of the proxy.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// Adds a fault of the next command of this name on the collection.
    pub(crate) fn fault(&self, command: &'static str, collection: &'static str, fault: Fault) {
        self.state.faults.lock().unwrap().push_back((command, collection, fault));
    }

    /// How many faults have not happened yet.
    pub(crate) fn left(&self) -> usize {
        self.state.faults.lock().unwrap().len()
    }

    /// Stops forwarding, or starts again. While it is down every connection is closed.
    pub(crate) fn set_down(&self, down: bool) {
        *self.state.down.lock().unwrap() = down;
    }

    /// The commands so far.
    pub(crate) fn seen(&self) -> Vec<Document> {
        self.state.seen.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set_down(true);
        // Ends the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    /// Serves a client until a side closes the connection, which is an error.
    fn exchange_all(&self, mut client: &TcpStream) -> io::Result<()> {
        let closed = || io::Error::from(io::ErrorKind::ConnectionReset);
        let served = TcpStream::connect(&self.behind).and_then(|mut server| {
            loop {
                let message = Message::read(&mut client)?;
                if *self.down.lock().unwrap() {
                    return Err(closed());
                }
                let fault = self.next_fault(&message);
                if matches!(fault, Some(Fault::LoseCommand)) {
                    return Err(closed());
                }
                if matches!(fault, Some(Fault::NotPrimary)) {
                    client.write_all(&message.answer(&not_primary()).0)?;
                    continue;
                }
                server.write_all(&message.0)?;
                let answer = Message::read(&mut server)?;
                match fault {
                    Some(Fault::Silence) => continue,
                    Some(Fault::LoseAnswerLater(applied, go)) => {
                        let _ = (applied.send(()), go.recv());
                        return Err(closed());
                    }
                    Some(_) => return Err(closed()),
                    None => client.write_all(&answer.0)?,
                }
            }
        });
        let _ = client.shutdown(Shutdown::Both);
        served
    }

    fn next_fault(&self, message: &Message) -> Option<Fault> {
        let command = message.command()?;
        let (name, collection) = command.iter().next().map(|(name, value)| (name.clone(), value.as_str()))?;
        let collection = collection.unwrap_or_default().to_owned();
        self.seen.lock().unwrap().push(command);
        let mut faults = self.faults.lock().unwrap();
        let found = faults.iter().position(|(of, on, _)| *of == name && *on == collection)?;
        faults.remove(found).map(|(_, _, fault)| fault)
    }
}

fn not_primary() -> Document {
    doc! {
        "ok": 0.0, "code": 10_107, "codeName": "NotWritablePrimary", "errmsg": "not primary",
        "errorLabels": ["RetryableWriteError"],
    }
}
