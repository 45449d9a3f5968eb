//! Migrations of new, existing, newer and changed databases.

use futures::future::join_all;
use stint_postgres::FailureKind;
use stint_postgres::migrations::{Action, Column, Expected, Migration, Migrations, Object, Plan, Table};
use stint_postgres::testing::{TestDatabase, run};

use crate::{postgres, reader};

const STATS: Table = Table {
    name: "stats",
    columns: &[
        Column { name: "game_id", kind: "bigint" },
        Column { name: "player_name", kind: "character varying(255)" },
        Column { name: "updated_at", kind: "timestamp with time zone" },
    ],
    unique: &[&["player_name", "game_id"]],
};

const FIRST: Migration = Migration {
    id: 1,
    name: "stats",
    sql: "CREATE TABLE stats (game_id bigint NOT NULL, player_name varchar(255), updated_at timestamptz,
                              UNIQUE (game_id, player_name));
          CREATE FUNCTION half(numeric) RETURNS numeric LANGUAGE sql AS 'SELECT $1 / 2'",
    adopts: Some(Expected {
        tables: &[STATS],
        objects: &[Object {
            what: "the function half(numeric)",
            exists: "SELECT to_regprocedure('half(numeric)') IS NOT NULL",
        }],
    }),
};

const SECOND: Migration = Migration {
    id: 2,
    name: "corrections",
    sql: "CREATE TABLE stint_corrections (id bigint PRIMARY KEY)",
    adopts: None,
};

const BOTH: Migrations = Migrations { fleet: "sample", list: &[FIRST, SECOND] };

fn actions(plan: &Plan) -> Vec<(i32, Action)> {
    plan.steps.iter().map(|step| (step.id, step.action)).collect()
}

async fn execute(database: &TestDatabase, sql: &str) {
    database.administrator().await.batch_execute(sql).await.unwrap();
}

#[test]
fn a_new_database_gets_everything_once() {
    run(async |database| {
        let (postgres, reader) = (postgres(&database), reader(&database));
        let plan = BOTH.plan(&reader).await.unwrap();
        assert_eq!(plan.to_string(), "1 `stats`: apply\n2 `corrections`: apply");
        assert_eq!(BOTH.plan(&reader).await.unwrap(), plan, "a plan changes nothing");
        assert_eq!(BOTH.run(&postgres).await.unwrap(), plan);
        assert_eq!(BOTH.run(&postgres).await.unwrap().to_string(), "the database is up to date");
        assert!(BOTH.plan(&reader).await.unwrap().steps.is_empty());
        let other = Migrations { fleet: "other", list: &[Migration { sql: "SELECT 1", adopts: None, ..FIRST }] };
        assert_eq!(actions(&other.run(&postgres).await.unwrap()), [(1, Action::Apply)], "fleets share a database");
    });
}

#[test]
fn an_existing_schema_is_adopted() {
    run(async |database| {
        // A further column that needs no value does no harm.
        execute(&database, FIRST.sql).await;
        execute(&database, "ALTER TABLE stats ADD id serial, ADD note text; INSERT INTO stats VALUES (7, 'Ånn', NULL)")
            .await;
        let (postgres, expected) = (postgres(&database), [(1, Action::Adopt), (2, Action::Apply)]);
        assert_eq!(actions(&BOTH.plan(&reader(&database)).await.unwrap()), expected);
        assert_eq!(actions(&BOTH.run(&postgres).await.unwrap()), expected);
        let rows = postgres.query("read", "SELECT adopted FROM stint_migrations ORDER BY id", &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<bool>>(), [true, false]);
        let rows = postgres.query("read", "SELECT player_name FROM stats", &[]).await.unwrap();
        assert_eq!(rows[0].get::<_, &str>(0), "Ånn");
    });
}

#[test]
fn a_different_schema_is_refused_by_column() {
    run(async |database| {
        let sql = "CREATE TABLE stats (game_id integer, updated_at timestamptz, season text NOT NULL)";
        execute(&database, sql).await;
        let expected = [
            "migration 1 `stats` finds what it creates, but not as expected",
            "column stats.game_id is integer, expected bigint",
            "column stats.player_name does not exist",
            "column stats.season is not known and requires a value",
            "table stats has no unique (game_id, player_name)",
            "the function half(numeric) does not exist",
        ];
        for failure in
            [BOTH.plan(&reader(&database)).await.unwrap_err(), BOTH.run(&postgres(&database)).await.unwrap_err()]
        {
            assert_eq!(failure.kind(), FailureKind::Refused);
            for text in expected {
                assert!(failure.to_string().contains(text), "{text}: {failure}");
            }
        }
        let tables = "SELECT to_regclass('stint_migrations') IS NULL AND to_regclass('stint_corrections') IS NULL";
        let rows = reader(&database).query("read", tables, &[]).await.unwrap();
        assert!(rows[0].get::<_, bool>(0), "something was changed");
    });
}

#[test]
fn a_newer_database_and_a_changed_migration_are_refused() {
    run(async |database| {
        let postgres = postgres(&database);
        BOTH.run(&postgres).await.unwrap();
        let older = Migrations { list: &[FIRST], ..BOTH };
        let failure = older.run(&postgres).await.unwrap_err();
        assert!(
            failure.to_string().contains("has migration 2 `corrections`, which this program does not know"),
            "{failure}"
        );
        const CHANGED: Migration = Migration { sql: "SELECT 1", ..SECOND };
        let changed = Migrations { list: &[FIRST, CHANGED], ..BOTH };
        let failure = changed.run(&postgres).await.unwrap_err();
        assert!(failure.to_string().contains("migration 2 `corrections` is not the one that was applied"), "{failure}");
        execute(&database, "DELETE FROM stint_migrations WHERE id = 1").await;
        let failure = BOTH.run(&postgres).await.unwrap_err();
        assert!(failure.to_string().contains("restore the missing row"), "{failure}");
        let unordered = Migrations { list: &[SECOND, FIRST], ..BOTH };
        assert!(unordered.run(&postgres).await.unwrap_err().to_string().contains("1, 2, 3"));
    });
}

#[test]
fn a_failed_migration_leaves_nothing() {
    run(async |database| {
        let postgres = postgres(&database);
        const BROKEN: Migration =
            Migration { sql: "CREATE TABLE stint_half (id integer); SELECT nothing FROM stint_half", ..SECOND };
        let broken = Migrations { list: &[FIRST, BROKEN], ..BOTH };
        let failure = broken.run(&postgres).await.unwrap_err();
        assert!(failure.to_string().starts_with("could not apply migration 2 `corrections` of sample"), "{failure}");
        assert_eq!(actions(&BOTH.run(&postgres).await.unwrap()), [(2, Action::Apply)]);
        let rows = postgres.query("read", "SELECT to_regclass('stint_half') IS NULL", &[]).await.unwrap();
        assert!(rows[0].get::<_, bool>(0));
    });
}

#[test]
fn processes_that_start_together_apply_each_migration_once() {
    run(async |database| {
        const SLOW: Migration =
            Migration { sql: "SELECT pg_sleep(0.3); CREATE TABLE stint_corrections (id bigint PRIMARY KEY)", ..SECOND };
        let both = Migrations { list: &[FIRST, SLOW], ..BOTH };
        let start = || async {
            let mut settings = database.settings();
            settings.postgres_lock_seconds = 1;
            both.run(&crate::open(&settings)).await
        };
        let mut applied = Vec::new();
        for done in join_all((0..8).map(|_| start())).await {
            applied.extend(actions(&done.unwrap()));
        }
        applied.sort_by_key(|step| step.0);
        assert_eq!(applied, [(1, Action::Apply), (2, Action::Apply)]);
    });
}

#[test]
fn a_user_without_the_right_is_told_which() {
    run(async |database| {
        let name = database.name();
        execute(&database, &format!("CREATE ROLE {name} LOGIN PASSWORD 'stint'")).await;
        let mut settings = database.settings();
        settings.database_url = Some(database.url().replace("stint:stint@", &format!("{name}:stint@")).into());
        let failure = BOTH.run(&crate::open(&settings)).await.unwrap_err();
        assert!(failure.to_string().contains("42501") && failure.to_string().contains("grant the right"), "{failure}");
        execute(&database, &format!("DROP ROLE {name}")).await;
    });
}
