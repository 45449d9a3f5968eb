//! The throttle port on functions' reserved concurrency, as the source document's own rule uses it.
//!
//! Its price: SQS's pollers do not know of a reserved concurrency. They receive messages that the function then refuses,
//! at 0 all of them, and each refusal uses up a receive. Therefore only that rule uses it.
//!
//! An operator's pause is not part of the rule. It disables the mapping, so that nothing is received meanwhile.
//!
//! What may happen between any two lines:
//! * Two processes lower the value at once: each reads and writes, and it falls by one instead of two. The rule takes the
//!   value for an estimate, and the next refusal lowers it again.
//! * The process exits between the function's value and the mapping's: the next value that is set opens the mapping.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use stint_core::clock::Clock;
use stint_core::ports::{Concurrency, PortError, PortResult, Throttle};
use stint_core::worker::WorkerId;

use super::MappingThrottle;
use super::retry::{FailedRequest, retried};

/// Sets the reserved concurrency of some functions, and leaves everything else to their mappings.
pub struct ReservedThrottle {
    client: Client,
    mappings: Arc<MappingThrottle>,
    /// The workers whose functions are throttled by their reserved concurrency.
    reserved: BTreeSet<WorkerId>,
    clock: Arc<dyn Clock>,
}

impl ReservedThrottle {
    /// Creates throttles of the functions that `mappings` knows; `reserved` are those with a reserved concurrency. The
    /// client must not retry by itself.
    pub(crate) fn new(
        client: Client,
        mappings: Arc<MappingThrottle>,
        reserved: &[WorkerId],
        clock: Arc<dyn Clock>,
    ) -> ReservedThrottle {
        ReservedThrottle { client, mappings, reserved: reserved.iter().cloned().collect(), clock }
    }

    /// Returns the function whose reserved concurrency is set, if the worker has one.
    fn function(&self, worker: &WorkerId) -> Option<&str> {
        self.reserved.get(worker).and_then(|worker| self.mappings.function(worker))
    }

    async fn get(&self, function: &str) -> PortResult<Option<u32>> {
        let context = format!("read the reserved concurrency of {function}");
        let answer = retried(&*self.clock, &context, || async {
            let call = self.client.get_function_concurrency().function_name(function);
            call.send().await.map_err(|error| FailedRequest::new(context.clone(), error))
        });
        let reserved = answer.await?.reserved_concurrent_executions();
        Ok(reserved.and_then(|reserved| u32::try_from(reserved).ok()))
    }

    async fn put(&self, function: &str, concurrency: u32) -> PortResult<()> {
        let context = format!("set the reserved concurrency of {function}");
        let value = i32::try_from(concurrency)
            .map_err(|_| PortError::Invalid(format!("{context}: {concurrency} is more than Lambda can count")))?;
        let put = retried(&*self.clock, &context, || async {
            let call = self.client.put_function_concurrency().function_name(function);
            let put = call.reserved_concurrent_executions(value).send().await;
            put.map_err(|error| FailedRequest::new(context.clone(), error))
        });
        put.await.map(drop)
    }
}

#[async_trait]
impl Throttle for ReservedThrottle {
    async fn read(&self, worker: &WorkerId) -> PortResult<Concurrency> {
        let mapping = self.mappings.read(worker).await?;
        let Some(function) = self.function(worker) else { return Ok(mapping) };
        Ok(Concurrency { limit: self.get(function).await?, ..mapping })
    }

    /// Another rule may have lowered the mapping's maximum, or disabled it at 0: it must not be what limits the function.
    async fn set(&self, worker: &WorkerId, concurrency: u32) -> PortResult<()> {
        let Some(function) = self.function(worker) else { return self.mappings.set(worker, concurrency).await };
        self.put(function, concurrency).await?;
        if self.mappings.read(worker).await?.limit.is_some_and(|limit| limit < concurrency) {
            self.mappings.set(worker, concurrency).await?;
        }
        Ok(())
    }

    async fn pause(&self, worker: &WorkerId) -> PortResult<()> {
        self.mappings.pause(worker).await
    }

    async fn resume(&self, worker: &WorkerId) -> PortResult<()> {
        self.mappings.resume(worker).await
    }

    /// Zero: messages are received whatever the value is, so that waiting after a change avoids nothing.
    fn lag(&self) -> Duration {
        Duration::ZERO
    }
}
