//! The folder of a demo.

use std::path::Path;

use anyhow::{Context as _, ensure};

/// Marks a folder as a demo's, so that a demo never replaces anything else.
const MARK: &str = ".stint-demo";

/// Empties or creates the folder `out`. Fails if it contains files that no demo left there.
pub(super) fn clear(out: &Path) -> anyhow::Result<()> {
    if out.exists() && out.read_dir().with_context(|| format!("cannot read {}", out.display()))?.next().is_some() {
        ensure!(
            out.join(MARK).exists(),
            "the folder {} is not empty and not an earlier demo's; choose another with --out",
            out.display()
        );
        std::fs::remove_dir_all(out).with_context(|| format!("cannot replace the demo in {}", out.display()))?;
    }
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    std::fs::write(out.join(MARK), "").with_context(|| format!("cannot write to {}", out.display()))
}
