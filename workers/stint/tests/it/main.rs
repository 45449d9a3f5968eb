//! Tests of the real binary, as a user runs it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod breaker;
mod cloud;
mod data;
mod demo;
mod describe;
mod errors;
mod folder;
mod help;
mod home_fixture;
mod infra;
mod keys;
mod kill;
mod lambda;
mod lambda_aws;
mod lambda_fleet;
mod lookup;
mod poe_audit;
mod poe_kill;
mod poe_stashes;
mod program;
mod publish;
mod queue;
mod raids;
mod refresh;
mod rules;
mod status;
mod status_aws;
mod telemetry;
mod throttle;
mod unpack;
mod unreliable_source;
mod until_drained;
mod up;
mod up_aws;
mod upkeep;
mod upstream;
mod waiting;
mod worst_case_aws;
