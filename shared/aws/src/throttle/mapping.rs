//! The event source mappings of functions in Lambda's control plane.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{EventSourceMappingConfiguration, ScalingConfig};
use stint_core::clock::Clock;
use stint_core::ports::{PortError, PortResult};

use super::retry::{FailedRequest, retried};
use super::setting::MappingSetting;
use crate::error::code;

/// The mapping does not exist: one that was deployed again has another id.
const GONE: &str = "ResourceNotFoundException";

/// Changes the mappings of SQS queues.
pub(super) struct Mappings {
    client: Client,
    clock: Arc<dyn Clock>,
    /// The ids found so far, by function. A mapping's id cannot be a setting of its own function, because
    /// infrastructure knows it only once the function exists.
    ids: Mutex<BTreeMap<String, String>>,
}

impl Mappings {
    pub(super) fn new(client: Client, clock: Arc<dyn Clock>) -> Mappings {
        Mappings { client, clock, ids: Mutex::default() }
    }

    /// Writes to the mapping of `function`, and retries for a while. The mapping accepts the change and applies it
    /// later.
    pub(super) async fn write(&self, function: &str, setting: MappingSetting) -> PortResult<()> {
        let context = format!("update the event source mapping of {function}");
        retried(&*self.clock, &context, || self.try_write(function, setting)).await
    }

    async fn try_write(&self, function: &str, setting: MappingSetting) -> Result<(), FailedRequest> {
        let id = self.id(function).await?;
        let scaling = setting.maximum_concurrency;
        let scaling = scaling.map(|maximum| ScalingConfig::builder().maximum_concurrency(maximum).build());
        let call = self.client.update_event_source_mapping().uuid(id).enabled(setting.enabled);
        let Err(error) = call.set_scaling_config(scaling).send().await else { return Ok(()) };
        let gone = code(&error) == Some(GONE);
        if gone {
            self.lock().remove(function);
        }
        let refusal = FailedRequest::new(format!("change the event source mapping of {function}"), error);
        Err(FailedRequest { retryable: refusal.retryable || gone, ..refusal })
    }

    /// Returns the id of the function's mapping, which is requested once.
    async fn id(&self, function: &str) -> Result<String, FailedRequest> {
        if let Some(id) = self.lock().get(function) {
            return Ok(id.clone());
        }
        let context = format!("find the event source mapping of {function}");
        let answer = self.client.list_event_source_mappings().function_name(function).send().await;
        let mappings = match answer {
            Ok(answer) => answer.event_source_mappings.unwrap_or_default(),
            Err(error) => return Err(FailedRequest::new(context, error)),
        };
        let id = only_id(&mappings)
            .map_err(|reason| FailedRequest { error: PortError::backend(context, reason), retryable: false })?;
        self.lock().insert(function.to_owned(), id.clone());
        Ok(id)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the id if there is exactly one mapping: a function with several queues cannot be throttled as one, and a
/// function without a queue cannot be throttled at all.
fn only_id(mappings: &[EventSourceMappingConfiguration]) -> Result<String, String> {
    let of_queue = |mapping: &&EventSourceMappingConfiguration| {
        mapping.event_source_arn().is_some_and(|arn| arn.split(':').nth(2) == Some("sqs"))
    };
    let ids: Vec<&str> = mappings.iter().filter(of_queue).filter_map(EventSourceMappingConfiguration::uuid).collect();
    match ids[..] {
        [id] => Ok(id.to_owned()),
        _ => Err(format!("it has {} mappings of SQS queues; the throttle needs exactly one", ids.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(id: &str, source: &str) -> EventSourceMappingConfiguration {
        let source = format!("arn:aws:{source}:eu-west-1:123456789012:work");
        EventSourceMappingConfiguration::builder().uuid(id).event_source_arn(source).build()
    }

    #[test]
    fn the_one_mapping_of_a_queue_is_found() {
        assert_eq!(only_id(&[mapping("a", "kinesis"), mapping("b", "sqs")]), Ok("b".into()));
        assert!(only_id(&[]).unwrap_err().contains("0 mappings"));
        assert!(only_id(&[mapping("a", "sqs"), mapping("b", "sqs")]).unwrap_err().contains("2 mappings"));
    }
}
