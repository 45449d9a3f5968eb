//! The fleet's stores and transport of a process that may be killed before and after every call, and within a body.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use stint_core::ports::PortResult;
use stint_http::{Body, RequestLimits, Transport, TransportError};
use stint_poe_stashes::store::{
    Chain, ChainStatus, Changes, Claim, HeadSamples, HeadStore, Index, IndexCounts, PageKey, PageStream, Pages,
    Progress, Put, Snapshot, Upload,
};
use stint_testkit::{FaultPlan, fault_injected_port, faulty_store};

faulty_store!(FaultyStore);

fault_injected_port! { FaultyStore, Chain {
    read() -> Option<ChainStatus>;
    claim(lease: Duration) -> Option<Claim>;
    write(claim: &Claim, progress: &Progress, lease: Duration) -> bool;
    release(claim: &Claim, progress: &Progress) -> bool;
} }

fault_injected_port! { FaultyStore, HeadStore {
    write(head: &HeadSamples) -> ();
    read() -> HeadSamples;
} }

fault_injected_port! { FaultyStore, Index {
    apply(snapshot: Snapshot) -> Changes;
    delete_events(before: Timestamp) -> ();
    counts() -> IndexCounts;
} }

#[async_trait]
impl Pages for FaultyStore<dyn Pages> {
    async fn begin(&self, key: PageKey) -> PortResult<Box<dyn Upload>> {
        self.faults.kill_point().await?;
        let upload = self.port.begin(key).await?;
        Ok(Box::new(FaultyUpload { upload, faults: self.faults.clone() }))
    }

    async fn read(&self, key: PageKey) -> PortResult<Option<PageStream>> {
        self.faults.kill_point().await?;
        self.port.read(key).await
    }
}

struct FaultyUpload {
    upload: Box<dyn Upload>,
    faults: FaultPlan,
}

#[async_trait]
impl Upload for FaultyUpload {
    async fn write(&mut self, bytes: Bytes) -> PortResult<()> {
        self.faults.kill_point().await?;
        self.upload.write(bytes).await
    }

    async fn commit(self: Box<Self>) -> PortResult<Put> {
        let FaultyUpload { upload, faults } = *self;
        faults.kill_point().await?;
        let put = upload.commit().await;
        faults.kill_point().await?;
        put
    }

    async fn abort(self: Box<Self>) {
        self.upload.abort().await;
    }
}

#[async_trait]
impl Transport for FaultyStore<dyn Transport> {
    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: RequestLimits,
    ) -> Result<http::Response<Body>, TransportError> {
        self.faults.kill_point().await.map_err(|_| lost())?;
        let answer = self.port.open(request, limits).await?;
        self.faults.kill_point().await.map_err(|_| lost())?;
        let (head, body) = answer.into_parts();
        let faults = self.faults.clone();
        // The end of the body is a step of its own.
        let end = stream::once(async move { faults.kill_point().await.map(|()| Bytes::new()).map_err(|_| lost()) });
        Ok(http::Response::from_parts(head, Body::new(body.chain(end), "river".to_owned(), limits.max_body)))
    }
}

fn lost() -> TransportError {
    TransportError::Broken { host: "river".into(), reason: "lost on the way".into() }
}
