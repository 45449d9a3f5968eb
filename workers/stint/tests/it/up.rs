//! A process of `stint up` that a test watches, and ends in one way or another.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use stint_core::clock::{Clock, after, between};
use stint_host::SystemClock;

/// The host waits up to ten seconds at an idle queue of SQS, and is not to be late by much.
const DRAINED_WITHIN: Duration = Duration::from_secs(15);

/// A machine that is busy takes seconds for what is waited for; a fault would take for ever.
const PATIENCE: Duration = Duration::from_secs(180);

/// Between two looks: often enough not to miss short work.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Killed if the test ends before it does. What it says goes to a file.
pub(crate) struct Up {
    process: Child,
    log: PathBuf,
}

impl Up {
    /// Starts `command`, which reports by `--json`.
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Up {
        command.stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        Up { process: command.spawn().unwrap(), log }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Completes when it has come so far. It must not end before.
    pub(crate) async fn until(&mut self, mut is_so: impl AsyncFnMut(&Up) -> bool) {
        let give_up = after(SystemClock.now(), PATIENCE);
        while !is_so(self).await {
            assert!(SystemClock.now() < give_up, "not within {} s: {}", PATIENCE.as_secs(), self.log());
            assert!(self.process.try_wait().unwrap().is_none(), "it ended: {}", self.log());
            SystemClock.sleep(LOOK_AGAIN).await;
        }
    }

    /// Completes when something is in the log.
    pub(crate) async fn says(&mut self, words: &str) {
        self.until(async |up| up.log().contains(words)).await;
    }

    /// Kills it as a power cut does. It must not have ended before.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        let status = self.process.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "it ended by itself, {status}: {}", self.log());
    }

    /// Sends SIGTERM, and answers what it reports in the end.
    pub(crate) async fn stop(mut self) -> Value {
        self.terminate();
        let begun = SystemClock.now();
        let status = self.end().await;
        let took = between(begun, SystemClock.now());
        assert!(took < DRAINED_WITHIN, "{status} after {took:?}: {}", self.log());
        self.report(status)
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        let signalled = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(signalled.unwrap().success());
    }

    /// Waits until it ends by itself, and answers what it reports.
    pub(crate) async fn ended(mut self) -> Value {
        let status = self.end().await;
        self.report(status)
    }

    /// Waits until it ends by itself, however.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            SystemClock.sleep(LOOK_AGAIN).await;
        }
    }

    fn report(mut self, status: ExitStatus) -> Value {
        assert!(status.success(), "{status}: {}", self.log());
        serde_json::from_reader(self.process.stdout.take().unwrap()).unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // One that has ended needs no killing.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
