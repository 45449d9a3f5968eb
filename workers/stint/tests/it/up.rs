//! A process running `stint up` that a test observes and stops in different ways.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use stint_core::clock::{Clock, after, between};
use stint_host::SystemClock;

/// The host waits up to ten seconds at an idle queue of SQS, and must not take much longer.
const DRAINED_WITHIN: Duration = Duration::from_secs(15);

/// A busy machine may take seconds; a fault would take for ever.
const PATIENCE: Duration = Duration::from_secs(180);

/// The time between two looks, which is short enough not to miss short work.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The process. It is killed if the test ends first. Its log goes to a file.
pub(crate) struct Up {
    process: Child,
    log: PathBuf,
}

impl Up {
    /// Starts `command` with `--json`.
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Up {
        command.stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        Up { process: command.spawn().unwrap(), log }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Completes when the condition holds. The process must not end before.
    pub(crate) async fn until(&mut self, mut is_so: impl AsyncFnMut(&Up) -> bool) {
        let give_up = after(SystemClock.now(), PATIENCE);
        while !is_so(self).await {
            assert!(SystemClock.now() < give_up, "not within {} s: {}", PATIENCE.as_secs(), self.log());
            assert!(self.process.try_wait().unwrap().is_none(), "it ended: {}", self.log());
            SystemClock.sleep(LOOK_AGAIN).await;
        }
    }

    /// Completes when the log contains `words`.
    pub(crate) async fn says(&mut self, words: &str) {
        self.until(async |up| up.log().contains(words)).await;
    }

    /// Kills it as a power cut would. It must not have ended before.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        let status = self.process.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "it ended by itself, {status}: {}", self.log());
    }

    /// Sends SIGTERM. Returns the final report.
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

    /// Waits until it ends by itself. Returns the final report.
    pub(crate) async fn ended(mut self) -> Value {
        let status = self.end().await;
        self.report(status)
    }

    /// Waits until it ends by itself. Returns its exit status.
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
        // A process that has ended cannot be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
