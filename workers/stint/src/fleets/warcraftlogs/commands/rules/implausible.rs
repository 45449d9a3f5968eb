//! Rules whose pages are implausible, and upstreams that rejected discovery.

use anyhow::bail;
use jiff::Timestamp;
use serde::Serialize;
use stint_warcraftlogs::names;
use stint_warcraftlogs::store::{Pause, RuleStatus, UpstreamPause};

use super::known;
use crate::context::Context;
use crate::escape::one_line;
use crate::fleets::warcraftlogs::stores::Stores;
use crate::time_format::format_time;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  stint wcl rules sample 638190fc00bc58421e002c83")]
pub(super) struct Sample {
    /// The rule's id, as `stint wcl rules list` shows it.
    id: String,
}

#[derive(clap::Args)]
#[command(after_help = "Example:\n  stint wcl rules accept 638190fc00bc58421e002c83")]
pub(super) struct Accept {
    /// The rules' ids, as `stint wcl rules list` shows them.
    #[arg(required = true)]
    ids: Vec<String>,
}

#[derive(clap::Args)]
#[command(after_help = "Example:\n  stint wcl rules resume www.warcraftlogs.com/zone/rankings")]
pub(super) struct Resume {
    /// The upstream, as `stint wcl rules list` shows it.
    upstream: String,
}

#[derive(Serialize)]
struct Sampled {
    id: String,
    at: Timestamp,
    reason: String,
    sample: Option<String>,
}

#[derive(Serialize)]
struct Accepted {
    accepted: Vec<String>,
}

#[derive(Serialize)]
struct Resumed {
    resumed: String,
}

impl Sample {
    pub(super) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let rules = Stores::existing(context).await?.rules.list().await?.documents;
        let ids: Vec<&str> = rules.iter().map(|status| status.rule.id.as_str()).collect();
        let id = known(&ids, &self.id)?;
        let doubted = rules.iter().find(|status| status.rule.id == id).and_then(|status| status.doubt.clone());
        let Some(doubt) = doubted else {
            bail!("rule {id} has no implausible pages, so there is no sample; see `stint wcl rules list`");
        };
        let sampled = Sampled { id: id.to_owned(), at: doubt.at, reason: doubt.reason, sample: doubt.sample };
        let now = context.clock.now();
        context.output.result(&sampled, |sampled| {
            let Sampled { at, reason, sample, .. } = sampled;
            let sample = sample.as_deref().map_or_else(|| "no page was kept".into(), one_line);
            format!("{}, seen {}\n\n{sample}\n", one_line(reason), format_time(*at, now))
        })
    }
}

impl Accept {
    pub(super) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let stores = Stores::existing(context).await?;
        let rules = &stores.rules;
        let stored = rules.list().await?.documents;
        let all: Vec<&str> = stored.iter().map(|status| status.rule.id.as_str()).collect();
        let ids: Vec<&str> = self.ids.iter().map(|id| known(&all, id)).collect::<anyhow::Result<_>>()?;
        if let Some(id) =
            ids.iter().find(|id| !stored.iter().any(|status| status.rule.id == **id && status.doubt.is_some()))
        {
            bail!("rule {id} has no implausible pages; nothing was accepted");
        }
        let mut accepted = Vec::new();
        for id in ids {
            if rules.accept(id).await? {
                accepted.push(id.to_owned());
            }
        }
        stores.start_discovery(context.clock.now()).await;
        context.output.result(&Accepted { accepted }, |Accepted { accepted }| {
            let lines =
                accepted.iter().map(|id| format!("accepted {id}: the next discovery accepts its pages as they are\n"));
            lines.collect()
        })
    }
}

impl Resume {
    pub(super) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let upstream = &self.upstream;
        let stores = Stores::existing(context).await?;
        if !stores.rules.resume_upstream(upstream).await? {
            bail!("'{upstream}' is not paused; `stint wcl rules list` shows the upstreams that are");
        }
        stores.start_discovery(context.clock.now()).await;
        context.output.result(&Resumed { resumed: upstream.clone() }, |Resumed { resumed }| {
            format!("the next discovery requests pages of {resumed} again\n")
        })
    }
}

/// Returns the pauses that have not ended at `now`.
pub(crate) fn active_pauses(pauses: Vec<UpstreamPause>, now: Timestamp) -> Vec<UpstreamPause> {
    pauses.into_iter().filter(|pause| pause.pause.until > now).collect()
}

/// Returns the pause of `upstream`, if it is in `pauses`.
pub(crate) fn pause_of<'a>(pauses: &'a [UpstreamPause], upstream: &str) -> Option<&'a Pause> {
    pauses.iter().find(|pause| pause.upstream == upstream).map(|pause| &pause.pause)
}

/// Formats a pause: `www.warcraftlogs.com/zone/rankings is paused until …`.
pub(crate) fn pause_text(pause: &UpstreamPause, now: Timestamp) -> String {
    let UpstreamPause { upstream, pause } = pause;
    format!("{} is paused until {}: {}", one_line(upstream), format_time(pause.until, now), one_line(&pause.reason))
}

/// Returns what an operator can do about a rule with implausible pages.
pub(crate) fn hint(status: &RuleStatus) -> String {
    let (id, raid, difficulty) =
        (&status.rule.id, names::raid(status.rule.raid), names::difficulty(status.rule.difficulty));
    let reason = status.doubt.as_ref().map(|doubt| one_line(&doubt.reason)).unwrap_or_default();
    format!(
        "the pages of {raid} in {difficulty} are implausible: {reason}; see the page with `stint wcl rules sample {id}`, and if \
         it is correct, run `stint wcl rules accept {id}`"
    )
}
