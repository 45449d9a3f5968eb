//! Finds out whether the fleets that last ran here were stopped properly.

use std::path::Path;

use stint_core::clock::{before, to_millis};
use stint_core::ports::PortResult;

use super::check::open_untouched;
use crate::FolderLock;
use crate::database::damage::{failed, remedy};
use crate::home::QUEUES_FILE;
use crate::hosts::HEARTBEAT_TIMEOUT;

/// Returns whether a process that ran fleets in the folder `home` was killed, or lost its power: its row is still in
/// the list of hosts, and it does not run any more at `now`. Also returns true if the list itself cannot be read.
pub fn had_unclean_stop(home: &Path, now: jiff::Timestamp) -> PortResult<bool> {
    let queues = home.join(QUEUES_FILE);
    if !queues.is_file() {
        return Ok(false);
    }
    // While other processes have the folder open, only a row that was not updated for a long time is certain to be left
    // over.
    let alone = FolderLock::exclusive(home);
    let seen_before = if alone.is_some() { i64::MAX } else { to_millis(before(now, HEARTBEAT_TIMEOUT)) };
    drop(alone);
    let left = open_untouched(&queues).and_then(|connection| {
        let there = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'hosts')";
        if !connection.query_row(there, [], |row| row.get::<_, bool>(0))? {
            return Ok(false);
        }
        let left = "SELECT EXISTS (SELECT 1 FROM hosts WHERE seen_at < ?1)";
        connection.query_row(left, [seen_before], |row| row.get(0))
    });
    match left {
        Err(error) if remedy(&error).is_some() => Ok(true),
        left => left.map_err(|error| failed("read which processes ran here", &queues, &error)),
    }
}

/// Returns the processes that run fleets in the folder `home`, or ran there when they last updated their row, with
/// their process number and fleets, for a message.
pub fn hosts(home: &Path) -> PortResult<Vec<String>> {
    let queues = home.join(QUEUES_FILE);
    let read = open_untouched(&queues).and_then(|connection| {
        let mut select = connection.prepare("SELECT id, fleets FROM hosts ORDER BY started_at")?;
        let hosts = select.query_map([], |row| {
            let (id, fleets): (String, String) = (row.get(0)?, row.get(1)?);
            let process = id.split('-').next().unwrap_or_default();
            Ok(format!("process {process} runs {}", fleets.replace(',', " and ")))
        })?;
        hosts.collect()
    });
    read.map_err(|error| failed("read which processes run here", &queues, &error))
}
