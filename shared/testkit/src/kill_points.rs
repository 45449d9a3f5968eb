//! Ends a process between any two steps of a function, as a kill would.
//!
//! The function calls [`kill_point`] between its steps, compiled in for its unit tests only. A test that is marked
//! `#[ignore]` runs the function once, in a process of its own that [`run_until`] starts; the test proper starts that process
//! again and again, ends it one kill point later each time, and looks at what is left.

use std::ffi::OsStr;
use std::process::{Command, Stdio, exit};
use std::sync::atomic::{AtomicU64, Ordering};

/// The variable that tells the process at which kill point it ends.
const EXIT_AT: &str = "STINT_TEST_EXIT_AT";

/// The exit code of a process that ended at a kill point. Test harnesses use 0 and 101.
const KILLED: i32 = 77;

/// Kill points that this process has passed.
static PASSED: AtomicU64 = AtomicU64::new(0);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// At the kill point that was asked for.
    Killed,
    /// It has fewer kill points than that, and its test passed.
    Passed,
}

/// Ends the process, without running any destructor, if this is the kill point at which [`run_until`] ends it.
pub fn kill_point() {
    let Ok(at) = std::env::var(EXIT_AT) else { return };
    if at == (PASSED.fetch_add(1, Ordering::SeqCst) + 1).to_string() {
        exit(KILLED);
    }
}

/// Runs the ignored test `test` of this test binary in a process of its own, with `variables` in its environment, until its
/// kill point number `at`, counted from 1.
///
/// # Panics
/// If the test fails, or is not there.
pub fn run_until<K: AsRef<OsStr>, V: AsRef<OsStr>>(
    test: &str,
    at: u64,
    variables: impl IntoIterator<Item = (K, V)>,
) -> Ended {
    let program = std::env::current_exe().expect("a test binary has a path");
    let mut command = Command::new(program);
    command.args([test, "--exact", "--ignored", "--nocapture"]).envs(variables).env(EXIT_AT, at.to_string());
    let output = command.stdin(Stdio::null()).output().expect("the test binary can be started");
    let printed = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(KILLED) => Ended::Killed,
        Some(0) if printed.contains("1 passed") => Ended::Passed,
        _ => panic!("{test} failed at kill point {at}:\n{printed}\n{}", String::from_utf8_lossy(&output.stderr)),
    }
}
