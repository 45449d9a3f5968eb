//! Which players the format cannot carry, and why.

use super::format::{MAX_CLASS_ID, MAX_SPECS_PER_PLAYER, day_number, tenths_plus_one};
use crate::model::{Player, Server};

/// Names of 48 bytes are the longest that the game's own limits allow; far beyond it is damage.
const MAX_TEXT_BYTES: usize = 255;

/// Says why this player cannot be written, apart from limits that only the whole region can reach.
pub(super) fn check(player: &Player) -> Result<(), String> {
    check_region(&player.region)?;
    check_server(&player.server)?;
    check_name(&player.name)?;
    if player.class_id > MAX_CLASS_ID {
        return Err(format!("class id {} is above {MAX_CLASS_ID}", player.class_id));
    }
    if day_number(player.updated_at).is_none() {
        return Err(format!("updatedAt {} lies outside 2020-01-01 to 2044-03-10", player.updated_at));
    }
    check_raids(player)
}

fn check_region(region: &str) -> Result<(), String> {
    let well_formed = (1..=8).contains(&region.len())
        && region.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    well_formed.then_some(()).ok_or_else(|| format!("region {region:?} is not 1 to 8 capital letters or digits"))
}

fn check_server(server: &Server) -> Result<(), String> {
    check_text("server name", &server.name)?;
    check_text("server slug", &server.slug)?;
    check_text("server's normalized name", &server.normalized_name)?;
    let columns = [&server.name, &server.slug, &server.normalized_name];
    columns.iter().all(|text| !text.is_empty()).then_some(()).ok_or_else(|| "the server has an empty name".to_owned())
}

/// Names hold letters only: the byte after one is below `A`, which is how a reader knows where it ends.
fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the name is empty".to_owned());
    }
    if name.len() > MAX_TEXT_BYTES {
        return Err(format!("the name has {} bytes, more than {MAX_TEXT_BYTES}", name.len()));
    }
    match name.chars().find(|letter| letter.is_control() || (letter.is_ascii() && !letter.is_ascii_alphabetic())) {
        Some(letter) => Err(format!("the name {name:?} contains {letter:?}, which no name has")),
        None => Ok(()),
    }
}

/// What stands between quotation marks or brackets in the file must not end them.
fn check_text(what: &str, text: &str) -> Result<(), String> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(format!("the {what} has {} bytes, more than {MAX_TEXT_BYTES}", text.len()));
    }
    match text.chars().find(|letter| letter.is_control() || matches!(letter, '"' | '\\' | ']')) {
        Some(letter) => Err(format!("the {what} {text:?} contains {letter:?}, which would break the file")),
        None => Ok(()),
    }
}

fn check_raids(player: &Player) -> Result<(), String> {
    let mut specs: Vec<&str> = Vec::new();
    for (raid, difficulties) in &player.raids {
        for (difficulty, ranks) in difficulties {
            check_text("metric", &ranks.metric)?;
            for (what, value) in [("best", ranks.best), ("median", ranks.median)] {
                check_percentile(value, || format!("{what} average of raid {raid}, difficulty {difficulty}"))?;
            }
            for (encounter, rank) in &ranks.encounters {
                check_percentile(rank.best, || format!("best percentile of encounter {encounter}"))?;
                if !specs.contains(&rank.spec.as_str()) {
                    check_text("spec", &rank.spec)?;
                    specs.push(&rank.spec);
                }
            }
        }
    }
    let fits = specs.len() <= MAX_SPECS_PER_PLAYER;
    fits.then_some(()).ok_or_else(|| format!("{} different specs, more than {MAX_SPECS_PER_PLAYER}", specs.len()))
}

fn check_percentile(value: Option<f64>, what: impl Fn() -> String) -> Result<(), String> {
    match tenths_plus_one(value) {
        Some(_) => Ok(()),
        None => Err(format!("the {} is {}, not within 0 to 100", what(), value.unwrap_or_default())),
    }
}
