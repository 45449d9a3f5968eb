//! Runs one of the targets under libFuzzer. Use `scripts/fuzz`, which builds this with the flags for coverage.

#![no_main]

use std::sync::OnceLock;

use stint_fuzz::config::{VARIABLE, target};
use stint_fuzz::{TARGETS, Target};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    static CHOSEN: OnceLock<&Target> = OnceLock::new();
    (CHOSEN.get_or_init(chosen).run)(input);
});

fn chosen() -> &'static Target {
    let name = target();
    stint_fuzz::target(&name).unwrap_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        panic!("{VARIABLE}: there is no target '{name}'; there are {}", names.join(", "))
    })
}
