//! Listens to a source of samples: the smallest possible listener.
//!
//! # If the process exits between any two lines
//! * *Before a sample is stored:* it is lost, unless the source sends it again. The next run connects again.
//! * *After it:* the sample is stored. The same sample again changes nothing.

use std::sync::Arc;

use futures::future::{BoxFuture, Either, select};
use jiff::Timestamp;
use stint_core::listener::{Listener, ListenerSpec, Replicas, Session};
use stint_core::worker::WorkerError;

use super::sampler::Samples;

/// A connection to a source: completes with the time of the next sample, or `None` if the connection is lost.
pub(super) trait Source: Send + Sync {
    fn next(&self) -> BoxFuture<'_, Option<Timestamp>>;
}

/// Stores the samples that a source sends.
pub(super) struct Ear {
    source: Arc<dyn Source>,
    samples: Arc<dyn Samples>,
}

impl Ear {
    /// Creates the listener with the ports that it needs.
    pub(super) fn new(source: Arc<dyn Source>, samples: Arc<dyn Samples>) -> Ear {
        Ear { source, samples }
    }
}

impl Listener for Ear {
    const SPEC: ListenerSpec = ListenerSpec {
        fleet: "sample",
        name: "ear",
        summary: "stores the samples that arrive",
        replicas: Replicas::Leader,
    };

    async fn run(&self, session: &Session) -> Result<(), WorkerError> {
        session.connected();
        loop {
            match select(session.stopped(), self.source.next()).await {
                Either::Left(_) => return Ok(()),
                Either::Right((Some(at), _)) => drop(self.samples.add(at).await?),
                Either::Right((None, _)) => return Err(WorkerError::Failed("the source closed the connection".into())),
            }
        }
    }
}

/// A source that never sends anything.
pub(super) struct Silence;

impl Source for Silence {
    fn next(&self) -> BoxFuture<'_, Option<Timestamp>> {
        Box::pin(std::future::pending())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::FutureExt;
    use stint_host::SystemClock;

    use super::super::store::MemorySamples;
    use super::*;

    /// Sends these samples, and then closes the connection.
    struct Sent(Mutex<Vec<Timestamp>>);

    impl Source for Sent {
        fn next(&self) -> BoxFuture<'_, Option<Timestamp>> {
            Box::pin(std::future::ready(self.0.lock().unwrap().pop()))
        }
    }

    #[tokio::test]
    async fn what_arrives_is_stored_and_a_lost_connection_is_an_error() {
        let samples = Arc::new(MemorySamples::default());
        let source = Arc::new(Sent(Mutex::new(vec![Timestamp::UNIX_EPOCH, Timestamp::MAX, Timestamp::MAX])));
        let (session, _stop) = Session::new(Arc::new(SystemClock), None);
        let error = Ear::new(source, samples.clone()).run(&session).await.unwrap_err();
        assert_eq!(error.to_string(), "the source closed the connection");
        assert_eq!(samples.add(Timestamp::MAX).await.unwrap(), 2);
    }

    #[test]
    fn it_ends_when_it_is_told_to() {
        let ear = Ear::new(Arc::new(Silence), Arc::new(MemorySamples::default()));
        let (session, stop) = Session::new(Arc::new(SystemClock), Some(1));
        let mut run = Box::pin(ear.run(&session));
        assert!((&mut run).now_or_never().is_none() && session.is_connected());
        stop.stop();
        assert!(run.now_or_never().unwrap().is_ok());
    }
}
