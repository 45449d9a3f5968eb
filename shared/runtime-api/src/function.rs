//! A function: its environments, and its limit of concurrency.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use stint_core::clock::Clock;
use tokio::process::Command;
use tokio::sync::mpsc;

use crate::environment::{Environment, Launch, Started};

/// Why an invocation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvokeError {
    /// Status 429: the reserved concurrency is used up.
    Throttled,
    /// The function returned an error, exited, or was killed.
    Failed(String),
}

/// A function with reserved concurrency.
pub struct ProcessFunction {
    launch: Launch,
    clock: Arc<dyn Clock>,
    requests: AtomicU64,
    log: mpsc::UnboundedSender<String>,
    lines: Mutex<mpsc::UnboundedReceiver<String>>,
    state: Mutex<State>,
}

struct State {
    reserved: u32,
    running: u32,
    most: u32,
    idle: Vec<Environment>,
    /// The processes that handle an event.
    busy: BTreeSet<u32>,
    /// The processes of all environments so far, whether they still run or not.
    processes: BTreeSet<u32>,
    started: Vec<Started>,
    resident_kb: u64,
}

impl ProcessFunction {
    /// Returns a function without environments, of which at most `reserved` may run at once.
    pub fn new(launch: Launch, reserved: u32, clock: Arc<dyn Clock>) -> Arc<ProcessFunction> {
        let (log, lines) = mpsc::unbounded_channel();
        let (idle, busy, processes, started) = (Vec::new(), BTreeSet::new(), BTreeSet::new(), Vec::new());
        let state = State { reserved, running: 0, most: 0, idle, busy, processes, started, resident_kb: 0 };
        let (requests, lines, state) = (AtomicU64::new(0), Mutex::new(lines), Mutex::new(state));
        Arc::new(ProcessFunction { launch, clock, requests, log, lines, state })
    }

    /// Changes how many may run at once. Invocations in progress continue.
    pub fn reserve(&self, reserved: u32) {
        self.state().reserved = reserved;
    }

    /// Runs one invocation, in an idle environment or a new one.
    pub async fn invoke(&self, event: Value) -> Result<Value, InvokeError> {
        let idle = {
            let mut state = self.state();
            if state.running >= state.reserved {
                return Err(InvokeError::Throttled);
            }
            state.running += 1;
            state.most = state.most.max(state.running);
            state.idle.pop()
        };
        let answer = self.invoke_in(idle, event).await;
        self.state().running -= 1;
        answer.map_err(InvokeError::Failed)
    }

    /// Starts an idle environment, and returns the measurements of its start.
    pub async fn start(&self) -> Result<Started, String> {
        let environment = self.new_environment().await?;
        let started = environment.started;
        self.state().idle.push(environment);
        Ok(started)
    }

    /// Sends SIGTERM to every environment that has run, as Lambda does before it removes one. Returns how many idle
    /// ones exited with success. It does not wait for busy ones.
    pub async fn terminate(&self) -> usize {
        let (idle, mut processes) = {
            let mut state = self.state();
            (std::mem::take(&mut state.idle), std::mem::take(&mut state.processes))
        };
        processes.extend(idle.iter().filter_map(Environment::process_id));
        for process in processes {
            // A process that has exited needs no signal.
            let _ = Command::new("kill").args(["-TERM", &process.to_string()]).stderr(Stdio::null()).status().await;
        }
        let mut ended_well = 0;
        for mut environment in idle {
            ended_well += usize::from(environment.ended().await);
        }
        ended_well
    }

    /// Kills a busy environment, as if its machine went down; its invocation fails. Returns whether there was one.
    pub async fn kill(&self) -> bool {
        let busy = self.state().busy.pop_first();
        let Some(process) = busy else { return false };
        // A process that has exited needs no signal.
        let killed = Command::new("kill").args(["-KILL", &process.to_string()]).stderr(Stdio::null()).status().await;
        killed.is_ok_and(|status| status.success())
    }

    /// The most invocations at once.
    pub fn most_at_once(&self) -> u32 {
        self.state().most
    }

    /// The measurements of each start.
    pub fn starts(&self) -> Vec<Started> {
        self.state().started.clone()
    }

    /// The peak resident memory of an environment after an invocation, in kilobytes.
    pub fn resident_kb(&self) -> u64 {
        self.state().resident_kb
    }

    /// Returns the lines that the environments have logged since the last call.
    pub fn take_log(&self) -> Vec<String> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| lines.try_recv().ok()).collect()
    }

    async fn invoke_in(&self, idle: Option<Environment>, event: Value) -> Result<Value, String> {
        let mut environment = match idle {
            Some(environment) => environment,
            None => self.new_environment().await?,
        };
        let before = environment.asked();
        let process = environment.process_id();
        {
            let mut state = self.state();
            state.processes.extend(process);
            state.busy.extend(process);
        }
        let id = format!("request-{}", self.requests.fetch_add(1, Ordering::SeqCst) + 1);
        let answer = environment.invoke(id, event).await;
        if let Some(process) = process {
            self.state().busy.remove(&process);
        }
        // As on Lambda, an environment is free again when it asks for the next event.
        if environment.next_event_requested(before).await {
            let mut state = self.state();
            state.resident_kb = state.resident_kb.max(environment.resident_kb());
            state.idle.push(environment);
        }
        answer
    }

    async fn new_environment(&self) -> Result<Environment, String> {
        let environment = Environment::start(&self.launch, self.clock.clone(), self.log.clone()).await?;
        self.state().started.push(environment.started);
        Ok(environment)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
