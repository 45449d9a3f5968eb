//! Progress bars, if this program has them: without them, what they would show is told in lines.

#[cfg(feature = "progress")]
pub(crate) use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

#[cfg(not(feature = "progress"))]
pub(crate) use none::{MultiProgress, ProgressBar, ProgressStyle};

/// Whether there are any.
pub(crate) const AVAILABLE: bool = cfg!(feature = "progress");

/// Bars that show nothing.
#[cfg(not(feature = "progress"))]
mod none {
    use std::convert::Infallible;
    use std::fmt::Display;

    #[derive(Clone)]
    pub(crate) struct MultiProgress;

    impl MultiProgress {
        pub(crate) fn new() -> MultiProgress {
            MultiProgress
        }

        pub(crate) fn add(&self, bar: ProgressBar) -> ProgressBar {
            bar
        }

        /// Runs what writes to the terminal: there is no bar that it could tear.
        pub(crate) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
            write()
        }
    }

    #[derive(Clone)]
    pub(crate) struct ProgressBar;

    impl ProgressBar {
        pub(crate) fn new(_: u64) -> ProgressBar {
            ProgressBar
        }

        pub(crate) fn new_spinner() -> ProgressBar {
            ProgressBar
        }

        pub(crate) fn no_length() -> ProgressBar {
            ProgressBar
        }

        pub(crate) fn hidden() -> ProgressBar {
            ProgressBar
        }

        pub(crate) fn set_style(&self, _: ProgressStyle) {}

        pub(crate) fn set_prefix(&self, _: impl Display) {}

        pub(crate) fn set_message(&self, _: impl Display) {}

        pub(crate) fn set_length(&self, _: u64) {}

        pub(crate) fn set_position(&self, _: u64) {}

        pub(crate) fn inc(&self, _: u64) {}

        pub(crate) fn tick(&self) {}

        pub(crate) fn wrap_read<R>(&self, read: R) -> R {
            read
        }

        pub(crate) fn finish_and_clear(&self) {}
    }

    pub(crate) struct ProgressStyle;

    impl ProgressStyle {
        pub(crate) fn with_template(_: &str) -> Result<ProgressStyle, Infallible> {
            Ok(ProgressStyle)
        }

        pub(crate) fn default_bar() -> ProgressStyle {
            ProgressStyle
        }
    }
}
