//! Rules about dependencies between the parts of the tree.

use crate::tree::{File, Finding, Rule, Tree};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "core-is-pure",
        remedy: "core does no I/O and names no vendor; put it behind a port, into an adapter",
        check: core_is_pure,
        bad: &[
            &[("shared/core/src/plan.rs", "use std::fs::File;")],
            &[("shared/core/src/plan.rs", "use std::{\n    fmt,\n    net::IpAddr,\n};")],
            &[("shared/core/src/plan.rs", "fn a() { tokio::spawn(b()); }")],
            &[("shared/core/Cargo.toml", "[dependencies]\nmongodb.workspace = true")],
        ],
        good: &[
            &[("shared/core/src/plan.rs", "//! `std::fs` and tokio are for adapters.\nuse std::fmt;")],
            &[("shared/core/Cargo.toml", "[dependencies]\nserde.workspace = true")],
            &[("shared/embedded/src/home.rs", "use std::fs;")],
        ],
    },
    Rule {
        name: "workers-see-store-traits",
        remedy: "a worker asks its fleet's store traits; backends live in the fleet's store/ folder",
        check: workers_see_store_traits,
        bad: &[
            &[("workers/nhl-stats/src/ingest.rs", "use rusqlite::Connection;")],
            &[("workers/nhl-stats/src/model.rs", "use bson::Document;")],
            &[("workers/nhl-stats/src/ingest.rs", "use stint_mongo::Mongo;")],
            &[("workers/nhl-stats/src/store/mod.rs", "use stint_embedded::Embedded;")],
        ],
        good: &[
            &[("workers/nhl-stats/src/store/sqlite_games.rs", "use stint_embedded::rusqlite::Row;")],
            &[("workers/nhl-stats/src/store/sqlite/games.rs", "use stint_embedded::rusqlite::Row;")],
            &[("workers/nhl-stats/src/ingest.rs", "#[cfg(test)]\nmod tests { use stint_embedded::Embedded; }")],
            &[("workers/stint/src/wiring.rs", "use stint_embedded::Embedded;")],
        ],
    },
    Rule {
        name: "aws-stays-in-its-adapters",
        remedy: "AWS types belong to shared/aws, shared/host/src/lambda/ and a fleet's cloud store files",
        check: stays_in_aws,
        bad: &[
            &[("shared/host/src/local.rs", "use aws_sdk_sqs::Client;")],
            &[("workers/stint/src/wiring.rs", "let config = aws_config::load_from_env().await;")],
            &[("workers/gdq-stats/src/store/sqlite.rs", "use aws_sdk_s3::Client;")],
        ],
        good: &[
            &[("shared/aws/src/queue.rs", "use aws_sdk_sqs::Client;")],
            &[("shared/host/src/lambda/serve.rs", "use lambda_runtime::Runtime;")],
            &[("workers/dcss-events/src/store/dynamodb.rs", "use aws_sdk_dynamodb::Client;")],
        ],
    },
    Rule {
        name: "mongo-stays-in-its-store",
        remedy: "MongoDB types belong to shared/mongo and a fleet's store/mongo files",
        check: stays_in_mongo,
        bad: &[
            &[("workers/stint/src/wiring.rs", "use mongodb::Client;")],
            &[("workers/warcraftlogs/src/store/sqlite.rs", "use bson::doc;")],
        ],
        good: &[
            &[("workers/warcraftlogs/src/store/mongo.rs", "use mongodb::Client;")],
            &[("workers/warcraftlogs/src/store/mongo_rules.rs", "use stint_mongo::mongodb::bson::doc;")],
            &[("workers/warcraftlogs/tests/it/mongo.rs", "use mongodb::Client;")],
            &[("shared/mongo/src/connection.rs", "use mongodb::Client;")],
        ],
    },
    Rule {
        name: "postgres-stays-in-its-store",
        remedy: "PostgreSQL types belong to shared/postgres and a fleet's store/postgres files",
        check: stays_in_postgres,
        bad: &[
            &[("workers/stint/src/wiring.rs", "use tokio_postgres::Client;")],
            &[("workers/nhl-stats/src/store/sqlite.rs", "use stint_postgres::tokio_postgres::Row;")],
        ],
        good: &[
            &[("workers/nhl-stats/src/store/postgres.rs", "use stint_postgres::tokio_postgres::Row;")],
            &[("workers/nhl-stats/src/store/postgres_games.rs", "use stint_postgres::tokio_postgres::Row;")],
            &[("workers/nhl-stats/tests/it/postgres.rs", "use stint_postgres::tokio_postgres::Client;")],
            &[("shared/postgres/src/pool.rs", "use deadpool_postgres::Pool;")],
        ],
    },
    Rule {
        name: "environment-in-config",
        remedy: "the environment is read only in files named config.rs; take the setting as an argument",
        check: environment_in_config,
        bad: &[
            &[("shared/aws/src/queue.rs", "let url = std::env::var(\"QUEUE\");")],
            &[("shared/aws/src/queue.rs", "use std::{env::vars, fmt};")],
            &[("workers/nhl-stats/src/store/s3.rs", "let builder = AmazonS3Builder::from_env();")],
            &[("shared/aws/src/account.rs", "use aws_config::{SdkConfig, defaults};")],
            &[("workers/stint/src/cli.rs", "#[arg(long, env = \"STINT_HOME\")]\nhome: PathBuf,")],
        ],
        good: &[
            &[("shared/aws/src/config.rs", "let url = std::env::var(\"QUEUE\");")],
            &[("shared/aws/src/queue.rs", "command.env(\"A\", env!(\"CARGO_PKG_VERSION\")); let env = \"b\";")],
            &[("shared/aws/src/config.rs", "let config = aws_config::load_from_env().await;")],
            &[(
                "shared/aws/src/queue.rs",
                "// As AmazonS3Builder::from_env() does.\nlet settings = from_environment();",
            )],
            &[("shared/aws/tests/it/main.rs", "let url = std::env::var(\"EMULATOR\");")],
            &[("shared/aws/build.rs", "let out = std::env::var(\"OUT_DIR\");")],
        ],
    },
    Rule {
        name: "unsafe-in-one-place",
        remedy: "find a safe way, or argue for it here beside the one that there is",
        check: unsafe_in_one_place,
        bad: &[
            &[("shared/core/src/plan.rs", "fn a() { unsafe { b() } }")],
            &[("shared/http/src/client.rs", "unsafe fn a() {}")],
        ],
        good: &[
            &[("workers/warcraftlogs/src/publish/wire/transports.rs", "fn a() { unsafe { b() } }")],
            &[("shared/core/src/plan.rs", "//! Nothing unsafe.\n#![deny(unsafe_code)]\nlet a = \"unsafe\";")],
        ],
    },
    Rule {
        name: "time-is-a-clock",
        remedy: "ask the Clock port for the time and for a wait, so that tests own both",
        check: time_is_a_clock,
        bad: &[
            &[("workers/warcraftlogs/src/discover.rs", "let start = Instant::now();")],
            &[("shared/http/src/client.rs", "use tokio::time::{Duration, timeout};")],
            &[("shared/http/tests/it/pacing.rs", "std::thread::sleep(PAUSE);")],
            &[("shared/embedded/src/wakeups.rs", "#[cfg(test)]\nmod tests { fn a() { thread::sleep(PAUSE); } }")],
            &[("shared/standins/examples/speed.rs", "thread::sleep(PAUSE);")],
        ],
        good: &[
            &[("shared/host/src/system_clock.rs", "fn now() { Timestamp::now() }")],
            &[("shared/embedded/src/database/open.rs", "std::thread::sleep(PAUSE);")],
            &[("shared/http/src/client.rs", "clock.sleep(delay).await; clock.now();")],
            &[("shared/standins/examples/speed.rs", "let start = Instant::now();")],
        ],
    },
];

/// The files that may read the wall clock, and the files that may also wait on it, with the reason.
const REAL_TIME: &[(&str, Time, &str)] = &[
    ("shared/core/src/clock.rs", Time::ReadAndWait, "the port itself"),
    ("shared/host/src/system_clock.rs", Time::ReadAndWait, "the one clock that is real"),
    ("shared/host/src/local.rs", Time::ReadAndWait, "the host that real time drives"),
    ("shared/embedded/src/", Time::ReadAndWait, "an adapter waits for a lock that another process holds"),
    ("shared/aws/src/", Time::ReadAndWait, "an adapter signs its calls with the time and polls"),
    ("shared/mongo/src/testing.rs", Time::ReadAndWait, "a server of tests runs in real time"),
    ("/examples/", Time::Read, "a measurement reads the clock before and after"),
    ("/benches/", Time::Read, "a measurement reads the clock before and after"),
];

#[derive(PartialEq)]
enum Time {
    Read,
    ReadAndWait,
}

fn core_is_pure(tree: &Tree) -> Vec<Finding> {
    const STD: &[&str] = &["std::fs", "std::net", "std::env", "std::process"];
    const VENDORS: &[&str] = &[
        "tokio",
        "reqwest",
        "hyper",
        "axum",
        "rusqlite",
        "mongodb",
        "bson",
        "aws_",
        "git2",
        "object_store",
        "sqlx",
        "tokio_postgres",
    ];
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.member() == ("shared", "core")) {
        if file.name() == "Cargo.toml" {
            for (index, line) in file.text.lines().enumerate() {
                let key = line.split(['.', '=', ' ']).next().unwrap_or_default().replace('-', "_");
                if VENDORS.iter().any(|vendor| key == *vendor || (vendor.ends_with('_') && key.starts_with(vendor))) {
                    findings.push(file.on_line(index + 1, format!("core depends on `{key}`")));
                }
            }
        } else if file.path.starts_with("shared/core/src/") {
            findings.extend(mentions(file, STD));
            findings.extend(mentions(file, VENDORS));
        }
    }
    findings
}

fn workers_see_store_traits(tree: &Tree) -> Vec<Finding> {
    const BACKENDS: &[&str] = &[
        "rusqlite",
        "stint_embedded",
        "stint_aws",
        "stint_mongo",
        "mongodb",
        "bson",
        "aws_sdk_",
        "sqlx",
        "tokio_postgres",
        "object_store",
    ];
    let is_worker = |file: &&File| file.is_fleet() && file.path.contains("/src/") && backend(file).is_none();
    let mut findings = Vec::new();
    for file in tree.rust().filter(is_worker) {
        for backend in BACKENDS {
            // `stint_embedded::rusqlite` counts as one mention.
            let own = |at: &usize| !file.source.code[..*at].ends_with("stint_embedded::") && !file.is_test_at(*at);
            let offsets = file.source.mentions(backend).into_iter().filter(own);
            findings.extend(offsets.map(|at| file.at(at, format!("`{backend}` outside the store"))));
        }
    }
    findings
}

/// Returns the backend of a store file: `sqlite` for `store/sqlite.rs`, `store/sqlite_players.rs` and `store/sqlite/…`.
fn backend(file: &File) -> Option<&str> {
    let (_, below) = file.path.split_once("/src/store/")?;
    let name = below.split(['/', '_', '.']).next()?;
    (name != "mod").then_some(name)
}

fn stays_in_aws(tree: &Tree) -> Vec<Finding> {
    const AWS: &[&str] = &["aws_", "lambda_runtime", "lambda_http"];
    let allowed = |file: &File| {
        file.member() == ("shared", "aws")
            || file.path.starts_with("shared/host/src/lambda/")
            || (file.is_fleet() && !matches!(backend(file), None | Some("sqlite" | "mongo" | "postgres")))
    };
    tree.rust().filter(|file| !allowed(file)).flat_map(|file| mentions(file, AWS)).collect()
}

fn stays_in_mongo(tree: &Tree) -> Vec<Finding> {
    let allowed = |file: &File| {
        file.member() == ("shared", "mongo") || (file.is_fleet() && (backend(file) == Some("mongo") || file.is_test()))
    };
    tree.rust().filter(|file| !allowed(file)).flat_map(|file| mentions(file, &["mongodb", "bson"])).collect()
}

fn stays_in_postgres(tree: &Tree) -> Vec<Finding> {
    const POSTGRES: &[&str] = &["tokio_postgres", "deadpool_postgres"];
    let allowed = |file: &File| {
        file.member() == ("shared", "postgres")
            || (file.is_fleet() && (backend(file) == Some("postgres") || file.is_test()))
    };
    tree.rust().filter(|file| !allowed(file)).flat_map(|file| mentions(file, POSTGRES)).collect()
}

fn environment_in_config(tree: &Tree) -> Vec<Finding> {
    const READS: &[&str] = &["env::var", "env::vars", "env::var_os", "env::vars_os"];
    // What libraries offer for it, under whatever name they are imported.
    const LIBRARIES: &[&str] = &[
        "from_env",
        "try_from_env",
        "from_default_env",
        "try_from_default_env",
        "load_from_env",
        "aws_config::defaults",
        "load_defaults",
    ];
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| !file.is_test() && !matches!(file.name(), "config.rs" | "build.rs")) {
        let code = &file.source.code;
        findings.extend(mentions(file, READS));
        findings.extend(mentions(file, LIBRARIES));
        let settings = crate::source::words(code, "env = \"").into_iter().filter(|at| !code[..*at].ends_with("let "));
        findings.extend(settings.map(|at| file.at(at, "a setting of the environment")));
    }
    findings
}

/// libgit2's global settings, which need `unsafe`, are set in this one file.
fn unsafe_in_one_place(tree: &Tree) -> Vec<Finding> {
    const PLACE: &str = "workers/warcraftlogs/src/publish/wire/transports.rs";
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| file.path != PLACE) {
        let offsets = crate::source::words(&file.source.code, "unsafe");
        findings.extend(offsets.into_iter().map(|at| file.at(at, "`unsafe`")));
    }
    findings
}

fn time_is_a_clock(tree: &Tree) -> Vec<Finding> {
    const READS: &[&str] = &["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"];
    const WAITS: &[&str] = &[
        "time::sleep",
        "time::sleep_until",
        "time::timeout",
        "time::timeout_at",
        "time::interval",
        "thread::sleep",
        "thread::park_timeout",
        "recv_timeout(",
        ".wait_timeout(",
    ];
    let mut findings = Vec::new();
    for file in tree.rust() {
        let place = REAL_TIME
            .iter()
            .find(|(path, ..)| file.path.starts_with(path) || (path.starts_with('/') && file.path.contains(path)));
        if place.is_none() {
            findings.extend(mentions(file, READS));
        }
        let may_wait = place.is_some_and(|(_, time, _)| *time == Time::ReadAndWait);
        for wait in WAITS {
            let offsets = file.source.mentions(wait).into_iter().filter(|at| !may_wait || file.is_test_at(*at));
            findings.extend(offsets.map(|at| file.at(at, format!("`{}`", wait.trim_matches(['.', '('])))));
        }
    }
    findings
}

fn mentions(file: &File, paths: &[&str]) -> Vec<Finding> {
    let of = |path: &&str| {
        let what = format!("`{path}`");
        file.source.mentions(path).into_iter().map(|at| file.at(at, what.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).collect()
}
