//! Frozen raids in MongoDB: `zones {_id: <raid>, askAt, frozenSince}`, a collection of Stint's own.

use async_trait::async_trait;
use jiff::Timestamp;
use stint_core::ports::PortResult;
use stint_mongo::mongodb::bson::{Bson, Document, doc};
use stint_mongo::{Retry, date, delete_each, instant, upsert};

use super::MongoStore;
use super::documents::id_of;
use crate::model::RaidId;
use crate::store::zones::{Frozen, Zones};

const ZONES: &str = "zones";

#[async_trait]
impl Zones for MongoStore {
    /// A raid that the filter does not match already has a document, and is not to be asked about: the insertion of a
    /// second one fails.
    async fn claim_check(&self, raids: &[RaidId], until: Timestamp) -> PortResult<Vec<RaidId>> {
        let now = date(self.clock.now());
        let mut claimed = Vec::new();
        for raid in raids {
            let free = doc! { "_id": i64::from(*raid), "frozenSince": Bson::Null, "askAt": { "$lte": now } };
            let claim = doc! { "$set": { "askAt": date(until) } };
            let (statement, what) = (upsert(free, claim), "claim the check for frozen raids");
            if !self.mongo.update(ZONES, statement, Retry::Refused, what).await?.is_duplicate {
                claimed.push(*raid);
            }
        }
        Ok(claimed)
    }

    async fn record_check(&self, raids: &[(RaidId, bool)], now: Timestamp, ask_again_at: Timestamp) -> PortResult<()> {
        let keep = |(raid, frozen): &(RaidId, bool)| {
            let mut change = doc! { "$set": { "askAt": date(ask_again_at) } };
            if *frozen {
                // The earliest instant stays.
                change.insert("$min", doc! { "frozenSince": date(now) });
            }
            upsert(doc! { "_id": i64::from(*raid) }, change)
        };
        let statements: Vec<Document> = raids.iter().map(keep).collect();
        self.mongo.update_all(ZONES, &statements, "store frozen raids").await
    }

    async fn frozen(&self) -> PortResult<Frozen> {
        let filter = doc! { "frozenSince": { "$exists": true } };
        let found = self.mongo.find(ZONES, filter, doc! {}, usize::MAX, "read frozen raids").await?;
        let zone = |zone: &Document| Some((RaidId::try_from(id_of(zone)?).ok()?, instant(zone.get("frozenSince"))?));
        Ok(Frozen(found.iter().filter_map(zone).collect()))
    }

    async fn clear_frozen(&self) -> PortResult<()> {
        let all = delete_each(doc! {});
        self.mongo.delete(ZONES, all, Retry::Idempotent, "delete frozen raids").await.map(drop)
    }
}
