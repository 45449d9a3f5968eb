//! Tests of `stint wcl refresh --wait` while a fleet runs, and of `stint wcl show`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::home_fixture::{HomeFixture, PLAYER, block_on};
use crate::lambda_fleet::run;
use crate::program::{Program, filters, text};
use crate::up::Up;
use crate::upstream::{Upstream, stint};

/// Returns `stint`, pointed at a stand-in.
fn fleet(home: &Path, upstream: &Upstream) -> Command {
    let mut command = stint(home);
    for name in ["wcl_api_url", "wcl_token_url", "wcl_site_url", "wcl_keys"] {
        command.env(name.to_uppercase(), upstream.setting(name));
    }
    command.env("WCL_PAGE_INTERVAL_MS", "0");
    command
}

/// Runs a command. Returns its exit code, stdout and stderr.
async fn ran(mut command: Command, arguments: &[&str]) -> (i32, String, String) {
    command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code().unwrap(), stdout, stderr)
}

#[test]
fn wait_prints_the_ranks_or_the_reason() {
    let upstream = Upstream::start("warcraftlogs", &["--players", "60", "--latency", "4"]);
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    run(async {
        let rule =
            ["wcl", "rules", "add", "--raid", "26", "--difficulty", "normal", "--start-page", "1", "--end-page", "3"];
        assert_eq!(ran(stint(&home), &rule).await.0, 0);
        let mut up = fleet(&home, &upstream);
        up.args(["up", "--json"]);
        let mut up = Up::start(up, folder.path().join("log"));
        // Discovered players do not stay in `discovers` for long, so this uses a player that was fetched already.
        let export = ["data", "export", "wcl", "players", "-"];
        let is_there = async |_: &Up| !ran(stint(&home), &export).await.1.is_empty();
        up.until(is_there).await;
        let (_, players, _) = ran(stint(&home), &export).await;
        let player: Value = serde_json::from_str(players.lines().next().unwrap()).unwrap();
        let id = player["_id"].to_string();
        let refresh = ["wcl", "refresh", "--raid", "26", "--difficulty", "normal", "--wait", "--timeout", "60"];
        let (code, ranks, said) = ran(fleet(&home, &upstream), &[&refresh[..], &["--id", &id]].concat()).await;
        assert!(code == 0 || said.contains("has no ranks: "), "{ranks} {said}");
        assert!(code == 1 || ranks.contains(&format!(", player {id}, updated ")), "{ranks} {said}");
        let misspelt = ["--name", "Nobody", "--server", "tarren-mil", "--region", "EU"];
        let (code, ranks, said) = ran(fleet(&home, &upstream), &[&refresh[..], &misspelt].concat()).await;
        assert_eq!((code, ranks.as_str()), (1, ""));
        let expected = "error: Nobody of tarren-mil (EU) has no ranks: the upstream knows no such player";
        assert!(said.contains("waiting for Nobody of tarren-mil (EU): ") && said.contains(expected), "{said}");
        let (code, ranks, _) = ran(fleet(&home, &upstream), &[&refresh[..], &misspelt, &["--json"]].concat()).await;
        assert!(code == 1 && serde_json::from_str::<Value>(&ranks).unwrap()["error"].is_string(), "{ranks}");
        up.stop().await;
        let (code, _, said) = ran(fleet(&home, &upstream), &[&refresh[..], &["--id", &id]].concat()).await;
        let expected = format!("player {id} is queued, but no process runs the fleet here now; start it: stint up");
        assert!(code == 1 && said.contains(&expected), "{said}");
    });
}

#[test]
fn a_wait_times_out_and_says_what_it_waited_for() {
    let program = Program::new();
    block_on(async {
        let fixture = HomeFixture::open(&program.home());
        fixture.players().await;
        fixture.keys().await;
        fixture.schedules().await;
        fixture.host().await;
    });
    let refresh = ["wcl", "refresh", "--id", "7", "--raid", "26", "--difficulty", "heroic", "--wait", "--timeout", "1"];
    let error = program.fail(&refresh);
    let error = error.lines().last().unwrap();
    assert!(error.contains("no result for player 7 after 1 s; it stays queued: waits for key-1: 5 points"), "{error}");
    let ran = program.run(&["wcl", "refresh", "--id", "7", "--timeout", "1"]);
    assert!(ran.code == 2 && ran.stderr.contains("--wait"), "{ran:?}");
}

/// The other data that the upstream was asked for: all-stars, another metric, and the dungeons of a season.
const MORE: &str = r#"{"_id":57147396,"name":"Ånn","classId":4,"region":"EU","server":{"name":"Tarren Mill","slug":"tarren-mill","normalizedName":"TarrenMill"},"updatedAt":{"$date":"2026-11-20T10:00:00Z"},"raids":{"26":{"4":{"metric":"dps","best":91.2,"median":80.1,"encounters":{"2398":{"best":95.3,"median":80.0,"kills":12,"spec":"Fire","allStars":{"partition":3,"points":103.43,"rank":1518,"regionRank":453}},"2418":{"best":null,"median":null,"kills":1,"spec":""}},"allStars":[{"spec":"Fire","partition":3,"points":910.852,"rank":1326,"regionRank":317,"serverRank":53},{"points":12.5}],"metrics":{"hps":{"metric":"hps","best":7.5,"median":6.0,"encounters":{}}}}},"39":{"10":{"metric":"playerscore","best":88.0,"median":null,"encounters":{"12291":{"best":88.0,"median":null,"kills":3,"spec":"Frost","score":169.3,"keyLevel":15}}}}}}"#;

#[test]
fn all_kinds_of_ranks_are_shown() {
    let program = Program::new();
    let file = program.write("players.json", MORE);
    program.succeed(&["data", "import", "wcl", "players", text(&file)]);
    let _filters = filters();
    insta::assert_snapshot!(program.redact(&program.succeed(&["wcl", "show", "57147396"])), @"
    Ånn of Tarren Mill (EU), Mage, player 57147396, updated [time] (… ago)

    Castle Nathria (26), heroic
      dps: best average 91.2, median average 80.1
      all-stars of Fire in partition 3: 910.852 points, 1,326 in the world, 317 in the region, 53 on the server
      all-stars: 12.5 points
      BOSS  BEST  MEDIAN  KILLS  SPEC  ALL-STARS  WORLD RANK  REGION RANK  PARTITION
      2398  95.3  80  12  Fire  103.43  1,518  453  3
      2418  -  -  1  -  -  -  -
      hps: best average 7.5, median average 6
      no kills

    raid 39, dungeon
      playerscore: best average 88, median average -
      BOSS  BEST  KILLS  SPEC  SCORE  KEY LEVEL
      12291  88  3  Frost  169.3  15
    ");
}

#[test]
fn a_player_is_shown_by_its_id_or_its_name() {
    let program = Program::new();
    let file = program.write("players.json", PLAYER);
    program.succeed(&["data", "import", "wcl", "players", text(&file)]);
    block_on(async { HomeFixture::open(&program.home()).players().await });
    let _filters = filters();
    insta::assert_snapshot!(program.redact(&program.succeed(&["wcl", "show", "57147396"])), @"
    Ånn of Tarren Mill (EU), Mage, player 57147396, updated [time] (… ago)

    Castle Nathria (26), heroic
      dps: best average 91.2, median average 80.1
      BOSS  BEST  MEDIAN  KILLS  SPEC
      2398  95.3  80  12  Fire
    ");
    let shown = program.json(&["wcl", "show", "57147396"]);
    assert_eq!(shown["raids"]["26"]["4"]["best"], 91.2);
    for name in ["Ånn-Tarren Mill-EU", "ånn-TarrenMill-eu", "Ånn-tarren-mill-EU"] {
        assert_eq!(program.json(&["wcl", "show", name]), shown, "{name}");
    }
    assert!(program.fail(&["wcl", "show", "9"]).contains("player 9 has no ranks: the player's ranks are hidden"));
    assert!(
        program.fail(&["wcl", "show", "8"]).contains("nothing is stored about player 8; request it: stint wcl refresh")
    );
    let error = program.fail(&["wcl", "show", "Bob-Kazzak-EU"]);
    assert!(error.contains("stint wcl refresh --name Bob --server kazzak --region EU"), "{error}");
    for wrong in ["Bob", "Bob-Kazzak", "Bob-Kazzak-Mars", "0"] {
        assert_eq!(program.run(&["wcl", "show", wrong]).code, 2, "{wrong}");
    }
}
