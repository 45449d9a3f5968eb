//! Exits a process between any two steps of a function, as if it were killed.
//!
//! The function calls [`kill_point`] between its steps, in test builds only. One test calls the function if it finds its
//! [`variable`]s, and does nothing otherwise. Another test starts that test in a process of its own with [`run_until`], again
//! and again, with the exit one kill point later each time, and checks what is left.

use std::ffi::{OsStr, OsString};
use std::process::{Command, Stdio, exit};
use std::sync::atomic::{AtomicU64, Ordering};

/// The variable with the number of the kill point at which the process exits.
const EXIT_AT: &str = "STINT_TEST_EXIT_AT";

/// The exit code at a kill point. Test harnesses use 0 and 101.
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

/// Exits the process, without running any destructor, if this is the kill point that [`run_until`] chose.
pub fn kill_point() {
    let Some(at) = from_environment(EXIT_AT) else { return };
    let passed = (PASSED.fetch_add(1, Ordering::SeqCst) + 1).to_string();
    if at == passed.as_str() {
        exit(KILLED);
    }
}

/// Returns a variable that [`run_until`] set for this process; `None` in a process that it did not start.
pub fn variable(name: &str) -> Option<OsString> {
    from_environment(EXIT_AT).and_then(|_| from_environment(name))
}

#[expect(clippy::disallowed_methods, reason = "a test process tells another what to do, which is no setting")]
fn from_environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Runs the test `test` of this test binary in a process of its own, with `variables` in its environment, until its
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
    command.args([test, "--exact", "--nocapture"]).envs(variables).env(EXIT_AT, at.to_string());
    let output = command.stdin(Stdio::null()).output().expect("the test binary can be started");
    let printed = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(KILLED) => Ended::Killed,
        Some(0) if printed.contains("1 passed") => Ended::Passed,
        _ => panic!("{test} failed at kill point {at}:\n{printed}\n{}", String::from_utf8_lossy(&output.stderr)),
    }
}
