//! The API behind its circuit breaker: whether a call may be made, and what its end says about the upstream's health.

use std::future::Future;
use std::sync::{Arc, PoisonError};

use stint_core::circuit::{CircuitSettings, CircuitWait, Health, Intent, Pass};
use stint_core::ledger::{CallEnd, KeyId, Reading};
use stint_http::Breaker;

use super::{Api, CallError, CharacterOutcome, longest_call};
use crate::config::Settings;

/// The API's name among the upstreams, used by its breaker, in `status` and in metrics.
pub const UPSTREAM: &str = "warcraftlogs-api";

impl Settings {
    /// When the breaker of the API opens, and how long a probe may take.
    pub fn breaker(&self) -> CircuitSettings {
        CircuitSettings::for_calls_of(longest_call(self.call_timeout()))
    }
}

impl Api {
    /// The API's breaker, if the processes share one.
    pub fn breaker(&self) -> Option<&Arc<Breaker>> {
        self.client.breaker()
    }

    /// Why no ordinary call may be made now; `None` if one may.
    pub async fn outage(&self) -> Option<CircuitWait> {
        self.breaker()?.waits(Intent::Work).await
    }

    /// Reads a key's counter, which costs no points, to find out whether the upstream is back.
    pub async fn probe(&self, key: &KeyId) -> Result<Reading, CallError> {
        let read = |pass| async move { ended(self.read_counter(pass, key).await) };
        self.guarded(Intent::Probe, key, read, |_| Health::Answered).await.1
    }

    /// Makes a call if the breaker allows it, with the breaker's pass for its requests, and reports to the breaker how
    /// it ended. `judge` judges a response.
    pub(super) async fn guarded<T, F>(
        &self,
        intent: Intent,
        key: &KeyId,
        call: impl FnOnce(Pass) -> F,
        judge: impl FnOnce(&T) -> Health,
    ) -> (CallEnd, Result<T, CallError>)
    where
        F: Future<Output = (CallEnd, Result<T, CallError>)>,
    {
        let Some(breaker) = self.breaker() else { return call(Pass::Free).await };
        let pass = match breaker.enter(intent).await {
            Ok(pass) => pass,
            Err(wait) => return (CallEnd::NotBilled, Err(CallError::down(breaker.upstream(), wait))),
        };
        let (end, response) = call(pass).await;
        let health = match &response {
            Ok(response) => {
                self.record_accepted(key);
                judge(response)
            }
            Err(error) => self.health(key, error),
        };
        breaker.report(pass, &health).await;
        (end, response)
    }

    fn health(&self, key: &KeyId, error: &CallError) -> Health {
        match error {
            CallError::CredentialsRefused { reason, .. } => self.record_refused(key, reason),
            // It responds, and says that this key has no points.
            CallError::PointsExhausted { .. } => Health::Answered,
            CallError::RateLimited { has_retry_after: true } | CallError::Down { .. } => Health::Unknown,
            // It waited at the gate that a rate limit has closed.
            CallError::TimedOut(_) if self.client.is_rate_limited() => Health::Unknown,
            CallError::RateLimited { has_retry_after: false } | CallError::TimedOut(_) | CallError::Unreadable(_) => {
                Health::Failed(error.to_string())
            }
            // All documents have the same form and go to one address.
            CallError::Http(http) => match http.health() {
                Health::Unknown if http.is_client_error() => Health::Failed(error.to_string()),
                health => health,
            },
        }
    }

    /// The refusal of one key among several is about that key. An upstream that accepts none of them is down.
    fn record_refused(&self, key: &KeyId, reason: &str) -> Health {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if self.keys().any(|known| known == key) {
            refused.insert(key.clone());
        }
        match self.keys().all(|known| refused.contains(known)) {
            true if refused.len() > 1 => {
                Health::Banned(format!("none of {} keys is accepted: {reason}", refused.len()))
            }
            true => Health::Banned(reason.to_owned()),
            false => Health::Unknown,
        }
    }

    fn record_accepted(&self, key: &KeyId) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// Judges the upstream's health from the outcomes of a batch. A response with nothing for any player is no better than
/// no response.
pub(super) fn health_of_outcomes(outcomes: &[CharacterOutcome]) -> Health {
    let reasons: Option<Vec<&str>> = outcomes.iter().map(failure_reason).collect();
    match reasons.as_deref() {
        None | Some([]) => Health::Served,
        Some([reason, ..]) => Health::Failed(format!("no player of a batch was served: {reason}")),
    }
}

/// Why nothing came for a player; `None` if something did, even a refusal.
fn failure_reason(outcome: &CharacterOutcome) -> Option<&str> {
    match outcome {
        CharacterOutcome::Failed(reason) => Some(reason),
        CharacterOutcome::Ranked(ranked) if ranked.player.raids.is_empty() && ranked.refused.is_empty() => {
            ranked.missing.first().map(|(_, reason)| reason.as_str())
        }
        CharacterOutcome::Ranked(_) | CharacterOutcome::Dropped(_) | CharacterOutcome::Unclear => None,
    }
}

/// How a reading of a counter ended, for the ledger.
pub(super) fn ended(reading: Result<Reading, CallError>) -> (CallEnd, Result<Reading, CallError>) {
    let end = reading.as_ref().map_or_else(CallError::call_end, |reading| CallEnd::Answered(*reading));
    (end, reading)
}

/// Text in the upstream's response to a token that it does not accept, whatever the status.
const UNAUTHENTICATED: &str = "Unauthenticated";

/// A longer body is a real response.
const LONGEST_REFUSAL: usize = 1024;

/// Returns the refusal if `body` contains nothing else: `{"error":"Unauthenticated."}`.
pub(super) fn refusal_of_key(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Refusal {
        error: String,
    }
    let body = body.get(..body.len().min(LONGEST_REFUSAL + 1)).filter(|body| body.len() <= LONGEST_REFUSAL)?;
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    refusal.error.starts_with(UNAUTHENTICATED).then_some(refusal.error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::DropReason;

    #[test]
    fn a_response_without_any_ranks_is_a_failure() {
        let failed = || CharacterOutcome::Failed("the upstream says: Internal server error".into());
        let dropped = CharacterOutcome::Dropped(DropReason::Unknown);
        assert_eq!(health_of_outcomes(&[failed(), dropped]), Health::Served);
        assert_eq!(health_of_outcomes(&[]), Health::Served);
        assert_eq!(health_of_outcomes(&[CharacterOutcome::Unclear, failed()]), Health::Served);
        assert!(
            matches!(health_of_outcomes(&[failed(), failed()]), Health::Failed(reason) if reason.contains("Internal"))
        );
    }

    #[test]
    fn a_refusal_is_known_whatever_the_status() {
        assert_eq!(refusal_of_key(br#"{"error":"Unauthenticated."}"#).as_deref(), Some("Unauthenticated."));
        for other in [r#"{"data":{}}"#, r#"{"error":"Too busy."}"#, "", "<html>", "[1]"] {
            assert_eq!(refusal_of_key(other.as_bytes()), None, "{other}");
        }
        let long = format!(r#"{{"error":"Unauthenticated.","data":"{}"}}"#, "x".repeat(LONGEST_REFUSAL));
        assert_eq!(refusal_of_key(long.as_bytes()), None);
    }
}
