//! Which settings are accepted, and the errors for those that are not.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Alone {
    #[command(flatten)]
    settings: Settings,
}

fn settings(arguments: &[&str]) -> Settings {
    Alone::parse_from([&["stint"], arguments].concat()).settings
}

#[test]
fn a_field_that_no_database_has_is_refused_with_those_that_there_are() {
    let fields = |text: &str| Alone::try_parse_from(["stint", "--lua-fields", text]).map(|parsed| parsed.settings);
    let all = fields("median,kills,spec,all-stars,boss-all-stars,score").unwrap().databases();
    assert_eq!(all.fields.len(), 6);
    assert_eq!(settings(&[]).databases().fields, DatabaseOptions::default().fields);
    for (text, wrong) in [("median,allstars", "allstars"), ("ranks", "ranks"), ("All-Stars", "All-Stars")] {
        let error = fields(text).unwrap_err().to_string();
        let valid = "[possible values: median, kills, spec, all-stars, boss-all-stars, score]";
        assert!(error.contains(&format!("invalid value '{wrong}'")) && error.contains(valid), "{error}");
    }
}

#[test]
fn a_batch_is_not_visible_again_while_a_call_is_under_way() {
    assert_eq!(settings(&[]).check(), Ok(()));
    let visibility = |seconds: &str, call: &str| {
        settings(&["--wcl-visibility-seconds", seconds, "--wcl-call-timeout-seconds", call]).check()
    };
    assert_eq!([visibility("92", "30"), visibility("5", "1"), visibility("112", "45")], [Ok(()), Ok(()), Ok(())]);
    let error = visibility("30", "30").unwrap_err();
    assert!(error.starts_with("WCL_VISIBILITY_SECONDS: 30 s are over while"), "{error}");
    assert!(error.contains("90 s with WCL_CALL_TIMEOUT_SECONDS=30"), "{error}");
    assert!(error.ends_with("set the former to 92 or more, or lower the latter"), "{error}");
    assert!(visibility("4", "1").is_err());
}
