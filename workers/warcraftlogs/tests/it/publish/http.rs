//! Git's own HTTP server, `git http-backend`, behind a listener that serves one request per connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// The relevant parts of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    query: String,
    content_type: String,
    pub(super) authorization: Option<String>,
    body: Vec<u8>,
}

impl Request {
    /// Whether it begins a push.
    pub(super) fn asks_to_write(&self) -> bool {
        self.query.contains("git-receive-pack")
    }
}

/// How the server handles a request.
pub(super) enum Reply {
    /// Git handles it.
    Git,
    /// It sends this head, without a body.
    Head(String),
}

/// Serves the repositories in a folder, and keeps the requests.
pub(super) struct Server {
    pub(super) port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(super) fn start(folder: &Path, reply: impl Fn(&Request) -> Reply + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server { port: listener.local_addr().unwrap().port(), requests: Arc::default() };
        let (requests, folder) = (Arc::clone(&server.requests), folder.to_owned());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                // A client that disconnects during its request is ignored.
                let Some(request) = read(&connection) else { continue };
                requests.lock().unwrap().push(Request { body: Vec::new(), ..request.clone() });
                let _ = match reply(&request) {
                    Reply::Head(head) => {
                        write!(connection, "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                    }
                    Reply::Git => serve(&mut connection, &request, &folder),
                };
            }
        });
        server
    }

    /// All requests up to now.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn read(connection: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut parts = line.split(' ');
    let (method, target) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut request = Request { method, path: path.to_owned(), query: query.to_owned(), ..Request::default() };
    let (mut length, mut is_chunked) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "transfer-encoding" => is_chunked = value == "chunked",
            "content-type" => request.content_type = value.to_owned(),
            "authorization" => request.authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    request.body = if is_chunked { chunks(&mut reader)? } else { exactly(&mut reader, length)? };
    Some(request)
}

fn chunks(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        body.extend(exactly(reader, length)?);
        reader.read_line(&mut line).ok()?;
        if length == 0 {
            return Some(body);
        }
    }
}

fn exactly(reader: &mut impl Read, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).ok().map(|()| bytes)
}

fn serve(connection: &mut TcpStream, request: &Request, folder: &PathBuf) -> std::io::Result<()> {
    let mut backend = Command::new("git");
    backend.args(["-c", "http.receivepack=true", "http-backend"]).env("GIT_PROJECT_ROOT", folder);
    backend.env("GIT_HTTP_EXPORT_ALL", "1").env("REQUEST_METHOD", &request.method).env("PATH_INFO", &request.path);
    backend.env("QUERY_STRING", &request.query).env("CONTENT_TYPE", &request.content_type);
    backend.env("CONTENT_LENGTH", request.body.len().to_string()).env("REMOTE_ADDR", "127.0.0.1");
    let mut backend = backend.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (mut input, body) = (backend.stdin.take().unwrap(), request.body.clone());
    let writer = std::thread::spawn(move || input.write_all(&body));
    let output = backend.wait_with_output()?.stdout;
    // Git may respond without having read everything.
    let _ = writer.join().unwrap();
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("git http-backend answers with a head");
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
    write!(connection, "HTTP/1.1 {status}\r\n{head}\r\nconnection: close\r\n\r\n")?;
    connection.write_all(&output[end + 4..])
}
