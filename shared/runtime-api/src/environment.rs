//! An execution environment: a process, and the Runtime API that serves it alone.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use serde_json::Value;
use stint_core::clock::{Clock, after, between, to_millis};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::server::{Call, Shared, router};

/// The time limit until a process asks for its first event. Lambda's limit of the init phase.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// How a process is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program, as `bootstrap` of the package.
    pub program: PathBuf,
    /// Its environment variables. It inherits none from this process.
    pub variables: Vec<(String, String)>,
    /// The time limit of one invocation. After it the process is killed.
    pub timeout: Duration,
}

/// Measurements of a start.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    /// Time from the start of the process until it asked for its first event.
    pub ready_after: Duration,
    /// Resident memory at that time, in kilobytes.
    pub resident_kb: u64,
}

pub(crate) struct Environment {
    process: Child,
    shared: Arc<Shared>,
    calls: mpsc::Sender<Call>,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    api: JoinHandle<()>,
    pub(crate) started: Started,
}

impl Environment {
    /// Starts a process, and waits until it is ready. Its log goes to `log`, line by line.
    pub(crate) async fn start(
        launch: &Launch,
        clock: Arc<dyn Clock>,
        log: mpsc::UnboundedSender<String>,
    ) -> Result<Environment, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let (calls, received) = mpsc::channel(1);
        let shared = Shared::new(received);
        let routes = router(shared.clone());
        let api = tokio::spawn(async move {
            // Runs until the environment is dropped.
            let _ = axum::serve(listener, routes).await;
        });
        let mut asked = shared.asked();
        let begun = clock.now();
        let mut process = spawn(launch, &address.to_string())?;
        if let Some(output) = process.stderr.take() {
            let mut lines = BufReader::new(output).lines();
            tokio::spawn(async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    // The receiver of the log may have been dropped.
                    let _ = log.send(line);
                }
            });
        }
        let ready = Box::pin(ready(&mut asked, &mut process));
        match select(ready, clock.sleep(INIT_TIMEOUT)).await {
            Either::Left((ready, _)) => ready?,
            Either::Right(_) => return Err(format!("not ready within {} s", INIT_TIMEOUT.as_secs())),
        }
        let started = Started { ready_after: between(begun, clock.now()), resident_kb: resident_kb(process.id()) };
        Ok(Environment { process, shared, calls, clock, timeout: launch.timeout, api, started })
    }

    /// Sends the process an event. A process that exceeds the time limit is killed. An environment whose process has
    /// exited must not be used again.
    pub(crate) async fn invoke(&mut self, id: String, event: Value) -> Result<Value, String> {
        let (answer, answered) = oneshot::channel();
        let deadline = after(self.clock.now(), self.timeout);
        let call = Call { id, event, deadline_millis: to_millis(deadline), answer };
        self.calls.send(call).await.map_err(|_| "the environment was dropped".to_owned())?;
        let ended = Box::pin(select(answered, Box::pin(self.process.wait())));
        let in_time = match select(ended, self.clock.sleep_until(deadline)).await {
            Either::Left((Either::Left((answer, _)), _)) => Some(answer.unwrap_or_else(|_| Err("no answer".into()))),
            Either::Left((Either::Right((status, _)), _)) => Some(Err(format!("the process exited: {status:?}"))),
            Either::Right(_) => None,
        };
        if let Some(answer) = in_time {
            return answer;
        }
        // If it cannot be killed, it has exited.
        let _ = self.process.kill().await;
        Err(format!("timed out after {} s", self.timeout.as_secs_f64()))
    }

    /// Completes with `true` when the process asks for its next event after `before` earlier ones, or with `false` when
    /// it exits.
    pub(crate) async fn next_event_requested(&mut self, before: u64) -> bool {
        let mut asked = self.shared.asked();
        let asked = Box::pin(asked.wait_for(|asked| *asked > before));
        matches!(select(asked, Box::pin(self.process.wait())).await, Either::Left((Ok(_), _)))
    }

    /// The process's id while it runs.
    pub(crate) fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Resident memory now, in kilobytes.
    pub(crate) fn resident_kb(&self) -> u64 {
        resident_kb(self.process.id())
    }

    /// Completes when the process has exited. Returns whether it exited with success.
    pub(crate) async fn ended(&mut self) -> bool {
        self.process.wait().await.is_ok_and(|status| status.success())
    }

    /// The number of times that the process has asked for an event.
    pub(crate) fn asked(&self) -> u64 {
        *self.shared.asked().borrow()
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        // The process is killed when its handle is dropped.
        self.api.abort();
    }
}

fn spawn(launch: &Launch, address: &str) -> Result<Child, String> {
    let mut command = Command::new(&launch.program);
    // The variables that Lambda sets for every function.
    // https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    command.env_clear().env("AWS_LAMBDA_RUNTIME_API", address).env("AWS_LAMBDA_FUNCTION_NAME", "stint");
    command.env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST").env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128");
    command.envs(launch.variables.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().map_err(|error| format!("cannot start {}: {error}", launch.program.display()))
}

async fn ready(asked: &mut watch::Receiver<u64>, process: &mut Child) -> Result<(), String> {
    match select(Box::pin(asked.wait_for(|asked| *asked > 0)), Box::pin(process.wait())).await {
        Either::Left((asked, _)) => asked.map(drop).map_err(|error| error.to_string()),
        Either::Right((status, _)) => Err(format!("the process exited before it was ready: {status:?}")),
    }
}

/// The process's resident memory on Linux, in kilobytes; 0 elsewhere.
fn resident_kb(process: Option<u32>) -> u64 {
    let status = process.and_then(|id| std::fs::read_to_string(format!("/proc/{id}/status")).ok()).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
