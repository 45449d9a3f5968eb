//! Fuzz targets for all code that reads external bytes, with invariants that must hold for any input.
//!
//! A target takes bytes and panics when an invariant does not hold. [`TARGETS`] lists all of them. They run in two
//! ways:
//! * `cargo test -p stint-fuzz` runs every seed in `seeds/<target>/` once. A seed is small and made by us; an input
//!   that has ever failed becomes a seed, beside a test of the code that was at fault.
//! * `scripts/fuzz` builds the example `stint-fuzz`, which runs one of the targets under libFuzzer. It needs the pinned
//!   toolchain and a C++ compiler, and no nightly: the flags for coverage are stable.
//!
//! The code under test is free of `unsafe`, so the fuzzer looks for panics, overflows, broken invariants, and excessive
//! memory or time, and no address sanitizer is built in.

#![warn(missing_docs)]

pub mod config;
mod targets;
mod upstream;

/// Code that reads external bytes.
pub struct Target {
    /// Its name on the command line, and of the folder of its seeds.
    pub name: &'static str,
    /// Reads an input. Panics if an invariant does not hold.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "breaker", run: targets::breaker::run },
    Target { name: "cli_text", run: targets::cli_text::run },
    Target { name: "git_pack", run: targets::git_pack::run },
    Target { name: "git_references", run: targets::git_references::run },
    Target { name: "import", run: targets::import::run },
    Target { name: "ledger", run: targets::ledger::run },
    Target { name: "look_ahead", run: targets::look_ahead::run },
    Target { name: "lua_database", run: targets::lua_database::run },
    Target { name: "lua_record", run: targets::lua_record::run },
    Target { name: "lua_trailer", run: targets::lua_trailer::run },
    Target { name: "messages", run: targets::messages::run },
    Target { name: "page_file", run: targets::page_file::run },
    Target { name: "ranking_page", run: targets::ranking_page::run },
    Target { name: "ranking_parser", run: targets::ranking_parser::run },
    Target { name: "ranks", run: targets::ranks::run },
    Target { name: "rate_limits", run: targets::rate_limits::run },
    Target { name: "reports", run: targets::reports::run },
    Target { name: "stash_page", run: targets::stash_page::run },
];

/// Returns the target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
