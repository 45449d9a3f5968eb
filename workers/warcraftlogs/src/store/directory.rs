//! Finds players by name.

use async_trait::async_trait;
use stint_core::ports::PortResult;

use crate::model::{Player, Server};
use crate::player_ref::PlayerName;

/// The stored players, by region, server and name. Used only by commands; no worker uses it.
#[async_trait]
pub trait Directory: Send + Sync {
    /// The servers in a region that have stored players, each once.
    async fn servers(&self, region: &str) -> PortResult<Vec<Server>>;

    /// The stored player with that name, in any case. Of several, the one that was fetched last: a rename or a transfer
    /// leaves the older one behind. A document that cannot be decoded is skipped.
    async fn find(&self, named: &PlayerName) -> PortResult<Option<Player>>;
}
