//! Finding players by what people call them.

use async_trait::async_trait;
use stint_core::ports::PortResult;

use crate::model::{Player, Server};
use crate::whom::Named;

/// The stored players, by region, server and name. Only people ask for that; no worker does.
#[async_trait]
pub trait Directory: Send + Sync {
    /// The servers of a region that stored players live on, each once.
    async fn servers(&self, region: &str) -> PortResult<Vec<Server>>;

    /// The stored player of that name, whatever its case. Of several the one that was fetched last: a rename or a
    /// transfer leaves the older one behind. A document that cannot be read is passed over.
    async fn find(&self, named: &Named) -> PortResult<Option<Player>>;
}
