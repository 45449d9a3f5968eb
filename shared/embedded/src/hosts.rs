//! The processes that run fleets in this folder.
//!
//! A process writes its row when it starts, updates it every [`HEARTBEAT`], and deletes it when it ends. A killed process
//! leaves its row behind; the row is ignored after [`HEARTBEAT_TIMEOUT`], and the next process that starts deletes it. The same
//! happens to a row that is further in the future than that, because the clock was set back since: a running process
//! updates its row within a beat.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::params;
use stint_core::clock::{after, before, from_millis, to_millis};
use stint_core::ports::PortResult;

use crate::database::Database;

/// How often a running process updates its row.
pub const HEARTBEAT: Duration = Duration::from_secs(10);

/// A process that has not updated its row for this long is gone. This is three beats, so that a slow disk does not
/// count as an absence.
pub(crate) const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(30);

/// A process that runs fleets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its unique id: the process number, and when it started.
    pub id: String,
    /// The fleets that it runs.
    pub fleets: Vec<String>,
    /// When it started.
    pub started_at: Timestamp,
}

impl Host {
    /// Creates a host for the process of this number.
    pub fn new(process: u32, fleets: Vec<String>, started_at: Timestamp) -> Host {
        Host { id: format!("{process}-{}", to_millis(started_at)), fleets, started_at }
    }
}

/// The processes of a [`Database`].
#[derive(Clone)]
pub struct SqliteHosts {
    database: Database,
}

impl SqliteHosts {
    /// Creates the list of a database that has the table of hosts.
    pub fn new(database: &Database) -> SqliteHosts {
        SqliteHosts { database: database.clone() }
    }

    /// Records that `host` is running at `now`, and deletes the rows of processes that are gone.
    pub async fn heartbeat(&self, host: &Host, now: Timestamp) -> PortResult<()> {
        let (id, fleets, started_at) = (host.id.clone(), host.fleets.join(","), to_millis(host.started_at));
        let ([first, last], now) = (heartbeat_range(now), to_millis(now));
        let write = self.database.write("record a running process", move |connection| {
            let mut forget = connection.prepare_cached("DELETE FROM hosts WHERE seen_at NOT BETWEEN ?1 AND ?2")?;
            forget.execute([first, last])?;
            let mut statement = connection.prepare_cached(
                "INSERT INTO hosts (id, fleets, started_at, seen_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at",
            )?;
            statement.execute(params![id, fleets, started_at, now]).map(drop)
        });
        write.await
    }

    /// Removes a host that has ended.
    pub async fn remove(&self, host: &Host) -> PortResult<()> {
        let id = host.id.clone();
        let write = self.database.write("remove a stopped process", move |connection| {
            connection.prepare_cached("DELETE FROM hosts WHERE id = ?1")?.execute([id]).map(drop)
        });
        write.await
    }

    /// Returns the processes that updated their row within `HEARTBEAT_TIMEOUT` of `now`, oldest first.
    pub async fn running(&self, now: Timestamp) -> PortResult<Vec<Host>> {
        let heard = heartbeat_range(now);
        let read = self.database.read("read which processes run here", move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, fleets, started_at FROM hosts WHERE seen_at BETWEEN ?1 AND ?2 ORDER BY started_at, id",
            )?;
            let rows = statement.query_map(heard, |row| {
                let fleets: String = row.get(1)?;
                let fleets = fleets.split(',').filter(|fleet| !fleet.is_empty()).map(str::to_owned).collect();
                Ok(Host { id: row.get(0)?, fleets, started_at: from_millis(row.get(2)?) })
            })?;
            rows.collect()
        });
        read.await
    }
}

/// Returns the range, in milliseconds, in which a process that is running at `now` was last seen.
pub(crate) fn heartbeat_range(now: Timestamp) -> [i64; 2] {
    [to_millis(before(now, HEARTBEAT_TIMEOUT)), to_millis(after(now, HEARTBEAT_TIMEOUT))]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stint_core::clock::{Clock, ManualClock};

    use super::*;
    use crate::Embedded;

    #[test]
    fn a_process_is_there_until_it_leaves_or_falls_silent() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let embedded = Embedded::in_memory(Arc::new(clock.clone())).unwrap();
        let hosts = embedded.hosts();
        let host = |process| Host::new(process, vec!["warcraftlogs".into(), "poe-stashes".into()], clock.now());
        let (first, second) = (host(1), host(2));
        futures::executor::block_on(async {
            assert_eq!(hosts.running(clock.now()).await.unwrap(), []);
            for host in [&first, &second] {
                hosts.heartbeat(host, clock.now()).await.unwrap();
            }
            clock.advance(HEARTBEAT_TIMEOUT);
            hosts.heartbeat(&second, clock.now()).await.unwrap();
            assert_eq!(hosts.running(clock.now()).await.unwrap(), [first.clone(), second.clone()]);
            clock.advance(Duration::from_secs(1));
            assert_eq!(hosts.running(clock.now()).await.unwrap(), std::slice::from_ref(&second));
            hosts.remove(&second).await.unwrap();
            hosts.remove(&second).await.unwrap();
            assert_eq!(hosts.running(clock.now()).await.unwrap(), []);
        });
    }

    #[test]
    fn a_killed_process_is_gone_however_far_the_clock_is_set_back() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let embedded = Embedded::in_memory(Arc::new(clock.clone())).unwrap();
        let hosts = embedded.hosts();
        let (killed, alive) = (Host::new(1, Vec::new(), clock.now()), Host::new(2, Vec::new(), clock.now()));
        futures::executor::block_on(async {
            hosts.heartbeat(&killed, clock.now()).await.unwrap();
            clock.jump(jiff::SignedDuration::from_secs(-20));
            assert_eq!(
                hosts.running(clock.now()).await.unwrap(),
                std::slice::from_ref(&killed),
                "it may just have beaten"
            );
            clock.jump(jiff::SignedDuration::from_hours(-2));
            assert_eq!(hosts.running(clock.now()).await.unwrap(), []);
            hosts.heartbeat(&alive, clock.now()).await.unwrap();
            clock.jump(jiff::SignedDuration::from_hours(2));
            assert_eq!(hosts.running(clock.now()).await.unwrap(), [], "its row was removed");
        });
    }
}
