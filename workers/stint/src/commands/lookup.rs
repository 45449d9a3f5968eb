//! Under construction.

use super::Context;

#[derive(clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_arguments: &Arguments, _context: &Context) -> anyhow::Result<()> {
    anyhow::bail!("not built yet")
}
