//! Which players the format cannot represent, and why.

use super::draft::{Draft, DraftCell, DraftSection, DraftServer, DraftStar};
use super::format::{MAX_CLASS_ID, MAX_NAME_BYTES, Precision, day_number};

/// Returns an error that says why this player cannot be written, apart from limits that only the whole region can
/// reach.
pub(super) fn check(player: &Draft<'_>) -> Result<(), String> {
    check_region(&player.region)?;
    check_server(&player.server)?;
    check_name(&player.name)?;
    if i64::try_from(player.id).is_err() {
        return Err(format!("id {} is 2^63 or more, which no store can keep", player.id));
    }
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

fn check_server(server: &DraftServer<'_>) -> Result<(), String> {
    check_text("server name", &server.name)?;
    check_text("server slug", &server.slug)?;
    check_text("server's normalized name", &server.normalized_name)?;
    let columns = [&server.name, &server.slug, &server.normalized_name];
    columns.iter().all(|text| !text.is_empty()).then_some(()).ok_or_else(|| "the server has an empty name".to_owned())
}

/// A name with a hyphen could not be found: after a hyphen, the game writes a server.
fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the name is empty".to_owned());
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(format!("the name has {} bytes, more than {MAX_NAME_BYTES}", name.len()));
    }
    match name.chars().find(|letter| letter.is_control() || *letter == '-') {
        Some(letter) => Err(format!("the name {name:?} contains {letter:?}, which no name has")),
        None => Ok(()),
    }
}

/// Text between quotation marks or brackets in the file must not end them.
fn check_text(what: &str, text: &str) -> Result<(), String> {
    if text.len() > MAX_NAME_BYTES {
        return Err(format!("the {what} has {} bytes, more than {MAX_NAME_BYTES}", text.len()));
    }
    match text.chars().find(|letter| letter.is_control() || matches!(letter, '"' | '\\' | ']')) {
        Some(letter) => Err(format!("the {what} {text:?} contains {letter:?}, which would break the file")),
        None => Ok(()),
    }
}

fn check_raids(player: &Draft<'_>) -> Result<(), String> {
    for (place, section) in player.raids.sections.iter().enumerate() {
        let (raid, difficulty) = (section.raid, section.difficulty);
        let same = |other: &DraftSection<'_>| other.raid == raid && other.difficulty == difficulty;
        if player.raids.sections[..place].iter().any(same) {
            return Err(format!("raid {raid}, difficulty {difficulty} is there twice"));
        }
        check_encounters(&player.raids.cells[section.cells.clone()])?;
        check_text("metric", &section.metric)?;
        section.stars.iter().try_for_each(check_star)?;
        for (what, value) in [("best", section.best), ("median", section.median)] {
            check_percentile(value, || format!("{what} average of raid {raid}, difficulty {difficulty}"))?;
        }
    }
    let mut checked = "";
    for cell in &player.raids.cells {
        check_percentile(cell.best, || format!("best percentile of encounter {}", cell.encounter))?;
        if cell.spec != checked {
            check_text("spec", &cell.spec)?;
            checked = &cell.spec;
        }
        cell.extras.iter().filter_map(|extras| extras.star.as_ref()).try_for_each(check_star)?;
    }
    Ok(())
}

fn check_star(star: &DraftStar<'_>) -> Result<(), String> {
    star.spec.as_ref().map_or(Ok(()), |spec| check_text("spec of all stars", &spec.0))
}

/// A section's encounters must be distinct. They are mostly in ascending order, which makes the check fast.
fn check_encounters(cells: &[DraftCell<'_>]) -> Result<(), String> {
    if cells.is_sorted_by(|left, right| left.encounter < right.encounter) {
        return Ok(());
    }
    let mut seen = std::collections::BTreeSet::new();
    match cells.iter().find(|cell| !seen.insert(cell.encounter)) {
        Some(cell) => Err(format!("encounter {} is there twice", cell.encounter)),
        None => Ok(()),
    }
}

fn check_percentile(value: Option<f64>, what: impl Fn() -> String) -> Result<(), String> {
    match value {
        Some(value) if Precision::Whole.round(value).is_none() => {
            Err(format!("the {} is {value}, not within 0 to 100", what()))
        }
        _ => Ok(()),
    }
}
