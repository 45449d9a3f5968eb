//! Publishes existing databases.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use serde::Serialize;
use stint_warcraftlogs::addon::{Archive, write_archives};
use stint_warcraftlogs::publish::{Git, Publication, PublishStep, Published, Publisher};

use crate::context::Context;
use crate::fleets::warcraftlogs::workers::git;
use crate::format::number;
use crate::progress_bars::ProgressBar;
use crate::settings::from_environment;
use stint_warcraftlogs::config::Settings;

/// What to publish.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  stint wcl publish --dry-run\n  LUA_HISTORY=latest stint wcl publish databases --dry-run\n\n\
                        The target is set by LUA_REPOSITORY, LUA_BRANCH, LUA_HISTORY and LUA_ARCHIVES, as for the worker db-generator, which generates and publishes in one run."
)]
pub(crate) struct Arguments {
    /// The folder with the addons; without it LUA_OUT, or `databases` in STINT_HOME.
    folder: Option<PathBuf>,
    /// Print what would be pushed, and push nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Outcome {
    #[serde(flatten)]
    published: Published,
    archives: Vec<Archive>,
}

/// Commits, pushes and tags the changes, and then writes the archives if they are set.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let settings: Settings = from_environment()?;
    settings.check().map_err(|error| anyhow!(error))?;
    let folder = arguments.folder.or_else(|| settings.lua_out.clone());
    let folder = folder.unwrap_or_else(|| context.home.join("databases"));
    let repository = git(&settings, &context.home, &context.clock)
        .context("LUA_REPOSITORY is not set: it names the git repository that databases are pushed to")?;
    let bar = match context.output.is_interactive() {
        true => context.output.progress_bars().add(ProgressBar::new_spinner()),
        false => ProgressBar::hidden(),
    };
    let steps = bar.clone();
    let publisher = Git::with_progress(repository, move |step| {
        steps.set_message(step_text(step));
        steps.tick();
    });
    let published = match arguments.dry_run {
        true => publisher.plan(&folder).await,
        false => publisher.publish(&folder).await,
    };
    bar.finish_and_clear();
    let published = published?;
    let target = settings.lua_archives.filter(|_| !arguments.dry_run);
    let archives = target.map(|target| write_archives(&folder, &target)).transpose()?.unwrap_or_default();
    context.output.result(&Outcome { published, archives }, to_text)
}

fn step_text(step: PublishStep) -> &'static str {
    match step {
        PublishStep::Fetch(_) => "fetching the branch",
        PublishStep::Commit(_) => "comparing the databases",
        PublishStep::Push(_) => "pushing the commit",
        PublishStep::Tag(_) => "tagging it",
    }
}

fn to_text(outcome: &Outcome) -> String {
    let mut text = match &outcome.published {
        Published::Unchanged => "nothing changed\n".to_owned(),
        Published::Planned(publication) => publication_text("would push", publication),
        Published::Pushed(publication) => publication_text("pushed", publication),
    };
    for Archive { path, bytes, .. } in &outcome.archives {
        text.push_str(&format!("archive {}, {} bytes\n", path.display(), number(*bytes)));
    }
    text
}

fn publication_text(verb: &str, publication: &Publication) -> String {
    let mut text = format!("{verb} {}\n\n", publication.to_text());
    for line in publication.message.lines() {
        text.push_str(format!("  {line}").trim_end());
        text.push('\n');
    }
    text
}
