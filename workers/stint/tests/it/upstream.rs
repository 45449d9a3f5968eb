//! A stand-in upstream in its own process, so that its records survive the fleet's process.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde::de::DeserializeOwned;
use serde_json::Value;

/// `stint upstream` on its own port.
pub(crate) struct Upstream {
    process: Child,
    address: Value,
    // Kept open, so that the process never writes to a closed pipe.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Upstream {
    /// Starts the stand-in of `fleet` with further arguments.
    pub(crate) fn start(fleet: &str, arguments: &[&str]) -> Upstream {
        let mut process = stint(Path::new("."))
            .args(["upstream", fleet, "--port", "0", "--json"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut text = String::new();
        for line in output.by_ref() {
            let line = line.unwrap();
            text.push_str(&line);
            if line == "}" {
                break;
            }
        }
        Upstream { process, address: serde_json::from_str(&text).unwrap(), _output: output }
    }

    /// Returns a setting that leads to it, by the setting's name in lower case.
    pub(crate) fn setting(&self, name: &str) -> &str {
        self.address[name].as_str().unwrap()
    }

    /// Returns the stand-in's records.
    pub(crate) fn counters<T: DeserializeOwned>(&self) -> T {
        let url = self.setting("books").strip_prefix("http://").unwrap();
        let (host, path) = url.split_once('/').unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Returns the binary, with an environment that contains nothing of the machine's.
pub(crate) fn stint(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stint"));
    command.env_clear().env("STINT_HOME", home).stdin(Stdio::null());
    command
}
