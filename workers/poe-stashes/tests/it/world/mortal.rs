//! The fleet's stores and transport of a process that may be killed before and after every call, and within a body.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use stint_core::ports::PortResult;
use stint_http::{Body, RequestLimits, Transport, TransportError};
use stint_poe_stashes::store::{
    Chain, ChainStatus, Changes, Claim, Head, Heads, Index, IndexCounts, PageKey, PageStream, Pages, Progress, Put,
    Snapshot, Upload,
};
use stint_testkit::{Life, mortal_port, mortal_store};

mortal_store!(MortalStore);

mortal_port! { MortalStore, Chain {
    read() -> Option<ChainStatus>;
    claim(lease: Duration) -> Option<Claim>;
    keep(claim: &Claim, progress: &Progress, lease: Duration) -> bool;
    release(claim: &Claim, progress: &Progress) -> bool;
} }

mortal_port! { MortalStore, Heads {
    keep(head: &Head) -> ();
    read() -> Head;
} }

mortal_port! { MortalStore, Index {
    apply(snapshot: Snapshot) -> Changes;
    forget_events(before: Timestamp) -> ();
    counts() -> IndexCounts;
} }

#[async_trait]
impl Pages for MortalStore<dyn Pages> {
    async fn begin(&self, key: PageKey) -> PortResult<Box<dyn Upload>> {
        self.life.step().await?;
        let upload = self.port.begin(key).await?;
        Ok(Box::new(MortalUpload { upload, life: self.life.clone() }))
    }

    async fn read(&self, key: PageKey) -> PortResult<Option<PageStream>> {
        self.life.step().await?;
        self.port.read(key).await
    }
}

struct MortalUpload {
    upload: Box<dyn Upload>,
    life: Life,
}

#[async_trait]
impl Upload for MortalUpload {
    async fn write(&mut self, bytes: Bytes) -> PortResult<()> {
        self.life.step().await?;
        self.upload.write(bytes).await
    }

    async fn commit(self: Box<Self>) -> PortResult<Put> {
        let MortalUpload { upload, life } = *self;
        life.step().await?;
        let put = upload.commit().await;
        life.step().await?;
        put
    }

    async fn abort(self: Box<Self>) {
        self.upload.abort().await;
    }
}

#[async_trait]
impl Transport for MortalStore<dyn Transport> {
    async fn open(
        &self,
        request: http::Request<Bytes>,
        limits: RequestLimits,
    ) -> Result<http::Response<Body>, TransportError> {
        self.life.step().await.map_err(|_| lost())?;
        let answer = self.port.open(request, limits).await?;
        self.life.step().await.map_err(|_| lost())?;
        let (head, body) = answer.into_parts();
        let life = self.life.clone();
        // The end of the body is a step of its own.
        let end = stream::once(async move { life.step().await.map(|()| Bytes::new()).map_err(|_| lost()) });
        Ok(http::Response::from_parts(head, Body::new(body.chain(end), "river".to_owned(), limits.max_body)))
    }
}

fn lost() -> TransportError {
    TransportError::Broken { host: "river".into(), reason: "lost on the way".into() }
}
