//! Tests of `stint describe` and of the files generated from it.

use crate::program::Program;

#[test]
fn the_description_names_every_worker_queue_and_setting() {
    let description = Program::new().json(&["describe"]);
    let fleet = &description["fleets"][0];
    assert_eq!(fleet["fleet"], "warcraftlogs");
    assert_eq!(fleet["workers"].as_array().unwrap().len(), 6);
    assert_eq!(fleet["workers"][0]["triggers"][0]["every_seconds"], 1800);
    assert_eq!(fleet["queues"][0]["queue"], "wcl-discovered-players");
    assert_eq!(fleet["queues"][1]["feeds"], "refresher");
    let sections = description["settings"].as_array().unwrap();
    let settings: Vec<&str> = sections
        .iter()
        .flat_map(|section| section["settings"].as_array().unwrap())
        .map(|setting| setting["variable"].as_str().unwrap())
        .collect();
    for documented in
        ["STINT_HOME", "WCL_KEYS", "DELAY_DISCOVERY_IN_HOURS", "PAGES_PER_THREAD", "LAMBDA_TO_REVIVE", "STINT_LOG"]
    {
        assert!(settings.contains(&documented), "{documented}");
    }
}

#[test]
fn the_description_as_text() {
    let program = Program::new();
    insta::assert_snapshot!(program.redact(&program.succeed(&["describe"])));
}

#[test]
fn the_page_of_settings_is_up_to_date() {
    renewed("docs/configuration.md", "markdown");
}

#[test]
fn the_example_environment_is_up_to_date() {
    renewed(".env.example", "env");
}

fn renewed(file: &str, form: &str) {
    let path = format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"));
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let made = Program::new().succeed(&["describe", "--settings", form]);
    let command = format!("cargo run --features cloud -- describe --settings {form} > {file}");
    assert!(stored == made, "{file} is not what the settings in the code say; renew it with:\n  {command}");
}

/// With the comment signs removed, the file must contain settings that the program accepts.
#[test]
fn the_defaults_of_the_example_environment_are_taken() {
    let example = Program::new().succeed(&["describe", "--settings", "env"]);
    let defaults: Vec<(&str, &str)> = example
        .lines()
        .filter_map(|line| line.strip_prefix("# ")?.split_once('='))
        .filter(|(name, _)| !name.is_empty() && name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_'))
        .filter(|(name, value)| !value.is_empty() && *name != "STINT_HOME")
        .collect();
    assert!(defaults.len() > 15, "{defaults:?}");
    let mut program = Program::new();
    std::fs::create_dir(program.home()).unwrap();
    for (name, value) in defaults {
        program = program.with(name.to_owned().leak(), value);
    }
    program.succeed(&["status"]);
}
