//! Selects the target by a variable, because libFuzzer uses the command line itself.

/// The variable that names the target.
pub const VARIABLE: &str = "STINT_FUZZ_TARGET";

/// The value of the variable; empty if it is not set.
#[expect(clippy::disallowed_methods, reason = "libFuzzer has the command line for itself")]
pub fn target() -> String {
    std::env::var(VARIABLE).unwrap_or_default()
}
