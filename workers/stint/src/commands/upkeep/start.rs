//! The check before fleets start, if the previous process was killed.

use anyhow::bail;
use stint_embedded::upkeep::{CheckDepth, check, databases, had_unclean_stop};

use super::{LARGE_FILE, name, size};
use crate::context::Context;
use crate::fleets::files;
use crate::format::number;

/// Fails if the last process that ran fleets here did not stop in order and left a damaged file. After an orderly stop,
/// this reads only one row of one file.
pub(in crate::commands) fn check_after_unclean_stop(context: &Context) -> anyhow::Result<()> {
    if !had_unclean_stop(&context.home, context.clock.now())? {
        return Ok(());
    }
    let (paths, specs) = (databases(&context.home)?, files());
    let bytes: u64 = paths.iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum();
    tracing::info!("the previous process did not stop in order: its files are checked");
    if bytes >= LARGE_FILE {
        context
            .output
            .message(&format!("the previous process did not stop in order: checking its files ({})", size(bytes)));
    }
    for path in paths {
        let spec = specs.iter().find(|spec| spec.name == name(&path));
        let findings = check(&path, spec, CheckDepth::Quick)?.findings;
        let Some(first) = findings.first() else { continue };
        let more = match findings.len() - 1 {
            0 => String::new(),
            more => format!(", and {} more", number(more as u64)),
        };
        bail!(
            "{} is damaged ({}{more}), and the fleet was not started: see `stint check`, then repair it with `stint check \
             --repair`, or restore a backup with `stint restore`",
            path.display(),
            first.text
        );
    }
    Ok(())
}
