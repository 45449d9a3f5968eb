//! How far tests go that could go on without end.

/// The variable with which `scripts/test --long` asks for the long runs.
const VARIABLE: &str = "STINT_LONG_TESTS";

/// Returns how many seeds, kill points or pages a test goes through: `usual`, or `long` if the environment has
/// `STINT_LONG_TESTS`.
#[expect(clippy::disallowed_methods, reason = "a setting of tests, which have no command line")]
pub fn extent<T>(usual: T, long: T) -> T {
    if std::env::var_os(VARIABLE).is_some() { long } else { usual }
}
