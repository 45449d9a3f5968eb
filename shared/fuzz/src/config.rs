//! Which target the fuzzer runs: libFuzzer has the command line for itself.

/// The variable that names the target.
pub const VARIABLE: &str = "STINT_FUZZ_TARGET";

/// What the variable says; empty where it is not set.
#[expect(clippy::disallowed_methods, reason = "libFuzzer has the command line for itself")]
pub fn target() -> String {
    std::env::var(VARIABLE).unwrap_or_default()
}
