//! A proxy between a client and the server that loses what a network may lose.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use secrecy::ExposeSecret;
use stint_postgres::PostgresSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What distinguishes a commit from the level `READ COMMITTED`.
const COMMIT: &[u8] = b"; COMMIT";

/// What happens to a commit.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Loss {
    /// The server does not get it.
    Request,
    /// The server runs it, and the client does not get the answer.
    Answer,
}

/// A proxy that loses the first commits, and breaks the connection each time.
pub(crate) struct Proxy {
    port: u16,
    /// How many are still to be lost.
    left: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn start(settings: &PostgresSettings, loss: Loss, commits: usize) -> Proxy {
        let server = place(settings.database_url.as_ref().unwrap().expose_secret());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, left) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(commits)));
        let counter = left.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(relay(client, server, loss, counter.clone()));
            }
        });
        Proxy { port, left }
    }

    /// Returns the settings with the proxy instead of the server.
    pub(crate) fn settings(&self, settings: &PostgresSettings) -> PostgresSettings {
        let url = settings.database_url.as_ref().unwrap().expose_secret();
        let through = url.replace(&place(url), &format!("127.0.0.1:{}", self.port));
        PostgresSettings { database_url: Some(through.into()), ..settings.clone() }
    }

    /// Returns how many commits are still to be lost.
    pub(crate) fn left(&self) -> usize {
        self.left.load(Ordering::SeqCst)
    }
}

/// Returns host and port of an address.
fn place(url: &str) -> String {
    let rest = url.split_once('@').unwrap().1;
    rest.split_once('/').unwrap().0.to_owned()
}

/// Copies both ways until a commit is lost.
async fn relay(mut client: TcpStream, mut server: TcpStream, loss: Loss, left: Arc<AtomicUsize>) {
    let (mut asked, mut answered) = ([0; 65_536], [0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(count @ 1..) = read else { return };
                let is_commit = asked[..count].windows(COMMIT.len()).any(|window| window == COMMIT);
                let lost = is_commit
                    && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
                if lost && loss == Loss::Request {
                    return;
                }
                if server.write_all(&asked[..count]).await.is_err() {
                    return;
                }
                if lost {
                    // The server has committed once it answers.
                    let _ = server.read(&mut answered).await;
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(count @ 1..) = read else { return };
                if client.write_all(&answered[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}
