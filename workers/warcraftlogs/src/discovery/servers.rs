//! The ids of servers, which the site's URLs have in place of slugs.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::budget::Budget;
use crate::paid::QueryError;

/// Why the id of a server is not known, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerIdError {
    /// It stays unknown unless a person acts.
    Permanent(String),
    /// It may be found by a later request.
    Transient(String),
}

/// Finds the ids of servers.
#[async_trait]
pub trait ServerIds: Send + Sync {
    /// The id of the server with this slug.
    async fn id(&self, region: &str, slug: &str) -> Result<u32, ServerIdError>;
}

/// For a fleet without a key, which cannot ask the API.
pub struct WithoutServerIds;

#[async_trait]
impl ServerIds for WithoutServerIds {
    async fn id(&self, _region: &str, slug: &str) -> Result<u32, ServerIdError> {
        let reason = format!("server: looking up the id of {slug} needs an API key: set WCL_KEYS to id:secret");
        Err(ServerIdError::Permanent(reason))
    }
}

/// Asks the API, once per server and process, with points that are held first.
pub struct ApiServerIds {
    budget: Budget,
    known: Mutex<BTreeMap<(String, String), u32>>,
}

impl ApiServerIds {
    /// Pays for ids with points of `budget`.
    pub fn new(budget: Budget) -> ApiServerIds {
        ApiServerIds { budget, known: Mutex::default() }
    }

    async fn ask(&self, (region, slug): &(String, String)) -> Result<Option<u32>, QueryError> {
        let paid = self.budget.paid_api();
        let grant = paid.hold_for_query(1).await?;
        paid.ask("server", &grant, paid.api.server_id(&grant.hold.key, region, slug)).await
    }
}

#[async_trait]
impl ServerIds for ApiServerIds {
    async fn id(&self, region: &str, slug: &str) -> Result<u32, ServerIdError> {
        let name = (region.to_uppercase(), slug.to_lowercase());
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&name).copied();
        if let Some(id) = known {
            return Ok(id);
        }
        let not_now =
            |error: QueryError| ServerIdError::Transient(format!("server: the id of {slug} is not known: {error}"));
        let id = self.ask(&name).await.map_err(not_now)?.ok_or_else(|| {
            let region = &name.0;
            let remedy =
                "replace the rule by one with another slug: `stint wcl rules remove`, then `stint wcl rules add`";
            ServerIdError::Permanent(format!("server: {region} has no server {slug}; {remedy}"))
        })?;
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name, id);
        Ok(id)
    }
}
