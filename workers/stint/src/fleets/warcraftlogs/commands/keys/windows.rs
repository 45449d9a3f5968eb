//! Past windows, with the points that expired unspent, which no upstream publishes.

use jiff::Timestamp;
use serde::Serialize;
use stint_core::ledger::{KeyStatus, WindowRecord};
use stint_core::points::Points;
use stint_core::ports::{KeyPool, PortResult};

use crate::format::{count, points};
use crate::table::Table;
use crate::time_format::clock_time;

/// The last windows of each key, and their totals.
#[derive(Serialize)]
pub(super) struct Windows {
    windows: Vec<KeyWindow>,
    total: Total,
}

#[derive(Serialize)]
struct KeyWindow {
    key: String,
    #[serde(flatten)]
    record: WindowRecord,
}

#[derive(Default, Serialize)]
struct Total {
    windows: u64,
    limit: Points,
    spent: Points,
    expired: Points,
    overspent: Points,
}

impl Windows {
    pub(super) async fn read(pool: &dyn KeyPool, keys: &[KeyStatus], max: usize) -> PortResult<Windows> {
        let mut windows = Vec::new();
        for status in keys {
            let records = pool.windows(&status.key, max).await?;
            windows.extend(records.into_iter().map(|record| KeyWindow { key: status.key.0.clone(), record }));
        }
        let sum = |amount: fn(&WindowRecord) -> Points| windows.iter().map(|window| amount(&window.record)).sum();
        let total = Total {
            windows: windows.len() as u64,
            limit: sum(|record| record.limit),
            spent: sum(|record| record.spent),
            expired: sum(|record| record.expired),
            overspent: sum(|record| record.overspent),
        };
        Ok(Windows { windows, total })
    }
}

pub(super) fn windows_text(windows: &Windows, now: Timestamp) -> String {
    if windows.windows.is_empty() {
        return "no window has ended yet\n".into();
    }
    let mut table = Table::new(["key", "window ended", ">limit", ">spent", ">expired", ">overspent"]);
    for KeyWindow { key, record } in &windows.windows {
        let [limit, spent, expired, overspent] =
            [record.limit, record.spent, record.expired, record.overspent].map(points);
        table.row([key.clone(), clock_time(record.reset_at, now), limit, spent, expired, overspent]);
    }
    let Total { windows: number, limit, spent, expired, overspent } = &windows.total;
    let [limit, spent, expired, overspent] = [*limit, *spent, *expired, *overspent].map(points);
    table.row(["total".into(), count(*number, "window", "windows"), limit, spent, expired, overspent]);
    table.to_string()
}
