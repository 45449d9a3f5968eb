//! A plain client over a socket. It sends exactly what a test says.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// After how long without an answer a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection.
pub struct HttpClient {
    stream: BufReader<TcpStream>,
    prefix: String,
}

/// A response as it was received.
#[derive(Debug)]
pub struct Received {
    /// The status.
    pub status: u16,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without the form in which it was transferred.
    pub body: Vec<u8>,
}

impl HttpClient {
    /// Connects to `address`. `prefix` is put before each path.
    pub fn connect(address: SocketAddr, prefix: &str) -> io::Result<HttpClient> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(HttpClient { stream: BufReader::new(stream), prefix: prefix.to_owned() })
    }

    /// Sends a request and reads its response. `headers` are whole lines without their ends.
    pub fn send(&mut self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> io::Result<Received> {
        let mut request = format!("{method} {}{path} HTTP/1.1\r\nhost: test.example\r\n", self.prefix);
        if !body.is_empty() {
            request += &format!("content-length: {}\r\n", body.len());
        }
        for header in headers {
            request += header;
            request += "\r\n";
        }
        self.write(&[request.as_bytes(), b"\r\n", body].concat())?;
        self.receive(method == "HEAD")
    }

    /// Sends a GET request.
    pub fn get(&mut self, path: &str, headers: &[&str]) -> io::Result<Received> {
        self.send("GET", path, headers, b"")
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads a response. That to a HEAD request has no body.
    pub fn receive(&mut self, is_head: bool) -> io::Result<Received> {
        let (status, headers) = self.receive_head()?;
        let mut received = Received { status, headers, body: Vec::new() };
        let is_empty = is_head || matches!(status, 204 | 304);
        if is_empty {
            return Ok(received);
        }
        if received.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.receive_chunk()? {
                received.body.extend(chunk);
            }
        } else {
            let length = received.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            received.body.resize(length, 0);
            self.stream.read_exact(&mut received.body)?;
        }
        Ok(received)
    }

    /// Reads the status and the headers of a response.
    pub fn receive_head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("not a response: {first:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else { return Ok((status, headers)) };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
    }

    /// Reads the next chunk of a chunked body, or `None` at its end.
    pub fn receive_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let size = self.line()?;
        let size = usize::from_str_radix(&size, 16).map_err(|_| io::Error::other(format!("no chunk: {size:?}")))?;
        let mut chunk = vec![0; size];
        self.stream.read_exact(&mut chunk)?;
        self.line()?;
        Ok((size > 0).then_some(chunk))
    }

    /// Reads until the connection is closed, and returns how much came.
    pub fn read_to_end(&mut self) -> io::Result<usize> {
        self.stream.read_to_end(&mut Vec::new())
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches("\r\n").to_owned())
    }
}

impl Received {
    /// Returns the first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON, or null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Returns the status and the code of an error.
    pub fn error(&self) -> (u16, String) {
        (self.status, self.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}
