//! `stint`: one binary with every fleet, its local host, its stand-in upstreams, and the operator's commands.

mod cli;
mod commands;
mod config;
mod moment;
mod names;
mod output;
mod progress;
mod report;
mod table;
mod usage;
mod wiring;
mod words;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::output::Output;

/// Players, requests and answers are millions of small strings: with the system's allocator a fifth of a simulation's
/// time is `malloc`, with this one a twentieth.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.json);
    if let Err(error) = stint_host::telemetry::start(&cli.log, output.log_writer()) {
        output.error(&anyhow::anyhow!(error));
        return ExitCode::from(2);
    }
    match commands::run(cli, &output).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            if error.is::<usage::WrongUsage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
