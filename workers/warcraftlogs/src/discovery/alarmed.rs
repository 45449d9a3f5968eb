//! An alarm while the upstream refuses discovery: by a challenge or a ban, after which discovery leaves it alone for hours.
//!
//! An upstream that merely fails has its breaker, whose alarm is another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use stint_core::ports::{AlarmId, Alarms, PortResult};

use super::{PageResult, PlayerSource, SourceError};
use crate::FLEET;
use crate::store::{Claim, Pass};

/// The alarm's source, and its name.
const ALARM: (&str, &str) = ("discover", "refused");

/// A source whose refusals raise an alarm. The first page that is read after one clears it. An alarm that cannot be
/// raised or cleared is logged, and the page is returned as it is.
pub struct AlarmedSource {
    source: Arc<dyn PlayerSource>,
    alarms: Arc<dyn Alarms>,
    /// Whether this process has seen that no alarm is open. Until then each page clears it, because another process may
    /// have raised it.
    is_clear: AtomicBool,
}

impl AlarmedSource {
    /// Creates a source around `source`.
    pub fn new(source: Arc<dyn PlayerSource>, alarms: Arc<dyn Alarms>) -> AlarmedSource {
        AlarmedSource { source, alarms, is_clear: AtomicBool::new(false) }
    }

    async fn tell(&self, refusal: Option<&str>) -> PortResult<()> {
        let (worker, name) = ALARM;
        let id = AlarmId::new(format!("{FLEET}/{worker}"), name)?;
        match refusal {
            Some(reason) => {
                self.is_clear.store(false, Ordering::SeqCst);
                let upstream = self.source.upstream();
                self.alarms.raise(&id, &format!("discovery has stopped, {upstream} refuses it: {reason}")).await
            }
            None if self.is_clear.swap(true, Ordering::SeqCst) => Ok(()),
            None => self.alarms.clear(&id).await.inspect_err(|_| self.is_clear.store(false, Ordering::SeqCst)),
        }
    }
}

#[async_trait]
impl PlayerSource for AlarmedSource {
    async fn page(&self, claim: &Claim, pass: &Pass, page: u32) -> Result<PageResult, SourceError> {
        let found = self.source.page(claim, pass, page).await;
        let told = match &found {
            Err(SourceError::Refused(reason)) => self.tell(Some(reason)).await,
            Err(_) => Ok(()),
            Ok(_) => self.tell(None).await,
        };
        if let Err(error) = told {
            tracing::warn!(%error, "cannot report whether the upstream refuses discovery: {error}");
        }
        found
    }

    fn upstream(&self) -> String {
        self.source.upstream()
    }

    fn span(&self, claim: &Claim, pass: &Pass) -> Option<Duration> {
        self.source.span(claim, pass)
    }
}
