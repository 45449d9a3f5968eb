//! `stint`: one binary with the fleets, their local host, their stand-in upstreams, and the operator's commands.
//!
//! The program is a library with one function, so that its tests can select features that the binary alone is built without.

#![cfg_attr(
    not(feature = "default"),
    allow(dead_code, unused_imports, reason = "helpers that fleets share are unused in a build without those fleets")
)]

mod atomic_file;
mod built;
mod cli;
mod commands;
mod config;
mod context;
mod document_writer;
mod escape;
mod fleets;
mod format;
mod help;
mod hosting;
mod output;
mod progress_bars;
mod settings;
mod shell;
mod table;
mod time_format;
mod usage;
mod views;
mod wiring;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use stint_core::clock::Clock;
use stint_host::{SystemClock, telemetry};
use tokio::runtime::Runtime;

use crate::cli::Cli;
use crate::output::Output;

/// Players, requests and responses are millions of small strings. With the system's allocator a fifth of a simulation's
/// time is spent in `malloc`, with this one a twentieth.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long the process waits at its end for a thread that is blocked in a library, such as git with a silent remote.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs the command line.
pub fn main() -> ExitCode {
    let cli = Cli::read();
    let output = Output::new(cli.json);
    let runtime = match Runtime::new().context("cannot start threads") {
        Ok(runtime) => runtime,
        Err(error) => {
            output.error(&error);
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run(cli, output));
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    code
}

async fn run(cli: Cli, output: Output) -> ExitCode {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    if let Err(error) = telemetry::start(&cli.log, cli.telemetry_settings(), &clock, output.log_writer()) {
        output.error(&anyhow::anyhow!(error));
        return ExitCode::from(2);
    }
    if !cli.is_function() {
        tokio::spawn(telemetry::flush_regularly());
    }
    let ran = cli::run(cli, &output).await;
    telemetry::flush().await;
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            if error.is::<usage::WrongUsage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
