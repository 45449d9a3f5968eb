//! Generates Lua files for a million players from the embedded store, in a separate process so that its memory can be
//! measured.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock before and after")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use stint_core::clock::{Clock, ManualClock, after};
use stint_core::points::Points;
use stint_core::worker::{Event, Invocation, StopSignal, Worker};
use stint_embedded::{Embedded, Mode};
use stint_standins::WarcraftLogs;
use stint_standins::warcraftlogs::{Options, Population, Shares};
use stint_warcraftlogs::db_generator::DbGenerator;
use stint_warcraftlogs::model::{EncounterRank, Player, RaidRanks, Server};
use stint_warcraftlogs::store::{Players, SqliteStore};

/// The same allocator as the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error>;

const PLAYERS: u32 = 1_000_000;
const BATCH: usize = 2_000;

/// Passed to the process that generates.
const FOLDER_FLAG: &str = "--generate";

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    if let Some(flag) = arguments.iter().position(|argument| argument == FOLDER_FLAG) {
        return runtime.block_on(generate(Path::new(&arguments[flag + 1])));
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    runtime.block_on(fill(folder.path()))?;
    let status = Command::new(std::env::current_exe()?).arg(FOLDER_FLAG).arg(folder.path()).status()?;
    if status.success() { Ok(()) } else { Err(format!("the generator ended with {status}").into()) }
}

/// The instant of the design's example document.
const NOW: Timestamp = Timestamp::constant(1_795_168_800, 0);

fn clock() -> ManualClock {
    ManualClock::new(NOW)
}

async fn fill(folder: &Path) -> Result<(), Failure> {
    let limits = [Points::whole(3600)];
    let options = Options::with_keys(1, PLAYERS, &limits, Duration::from_secs(3600), NOW);
    let upstream = WarcraftLogs::new(Options { shares: Shares::NONE, ..options });
    let population = upstream.population();
    let embedded = Embedded::open(folder, Mode::Inline, Arc::new(clock()))?;
    let store = SqliteStore::open(&embedded, Arc::new(clock()))?;
    for ids in population.discoverable(population.rankings()).chunks(BATCH) {
        let players: Vec<Player> = ids.iter().filter_map(|id| player(&population, *id)).collect();
        store.upsert(&players).await?;
    }
    Ok(())
}

fn player(population: &Population, id: u64) -> Option<Player> {
    let character = population.character(id)?;
    let mut raids: BTreeMap<u32, BTreeMap<u32, RaidRanks>> = BTreeMap::new();
    for (raid, difficulty) in population.pairs_of(id) {
        let ranks = population.true_ranks(id, raid, difficulty)?;
        let encounter = |kill: &stint_standins::warcraftlogs::TrueEncounter| {
            let rank = EncounterRank {
                best: Some(kill.best),
                median: Some(kill.median),
                kills: kill.kills,
                spec: kill.spec.to_string(),
                ..EncounterRank::default()
            };
            (kill.id, rank)
        };
        let encounters = ranks.encounters.iter().map(encounter).collect();
        let (best, median) = (ranks.best, ranks.median);
        let ranks = RaidRanks { metric: ranks.metric.to_string(), best, median, encounters, ..RaidRanks::default() };
        raids.entry(raid).or_default().insert(difficulty, ranks);
    }
    let realm = character.realm;
    let server = Server { name: realm.name.into(), slug: realm.slug.into(), normalized_name: realm.normalized_name };
    Some(Player {
        id,
        // The stand-in repeats names on a large server; a number in letters makes them unique.
        name: format!("{}{}", character.name, letters(id)),
        class_id: character.class_id,
        region: realm.region.into(),
        server,
        updated_at: NOW,
        raids,
    })
}

fn letters(id: u64) -> String {
    let digits = std::iter::successors(Some(id), |rest| Some(rest / 26).filter(|rest| *rest > 0));
    digits.map(|rest| char::from(b'a' + (rest % 26) as u8)).collect()
}

async fn generate(folder: &Path) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(clock());
    let embedded = Embedded::open(folder, Mode::Inline, clock.clone())?;
    let players: Arc<dyn Players> = Arc::new(SqliteStore::open(&embedded, clock.clone())?);
    let target: PathBuf = folder.join("databases");
    let generator = DbGenerator::new(players, None, target);
    let deadline = after(clock.now(), Duration::from_secs(3600));
    let start = Instant::now();
    let outcome = generator
        .run(Event::Manual(serde_json::Value::Null), &Invocation::new(clock, deadline, StopSignal::default()))
        .await?;
    let seconds = start.elapsed().as_secs_f64();
    let regions = outcome.report["regions"].as_array().cloned().unwrap_or_default();
    let sum = |name: &str| regions.iter().filter_map(|region| region[name].as_u64()).sum::<u64>();
    let (players, bytes) = (sum("players"), sum("bytes"));
    let without_ranks = outcome.report["leftOut"]["withoutRanks"].as_u64().unwrap_or_default();
    assert_eq!(players + without_ranks, u64::from(PLAYERS), "every player with ranks is in a file");
    writeln!(
        std::io::stdout(),
        "generator, {players} players from the embedded store: {seconds:.1} s, {} MB resident at most, {:.1} bytes a player",
        peak_memory()? / 1024,
        bytes as f64 / players as f64
    )?;
    Ok(())
}

/// Peak memory of this process in kibibytes, as the kernel reports it.
fn peak_memory() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc/self/status")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
