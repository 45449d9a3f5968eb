//! `stint wcl lookup`.

use stint_warcraftlogs::lua::{Found, database_path, lookup, read_back};

use super::players::{generate, ranked};

#[test]
fn a_player_is_found_by_every_name_of_its_server() {
    let folder = tempfile::tempdir().unwrap();
    let player = ranked("EU", "Tarren Mill", "Ånn", 3);
    generate(folder.path(), &[player.clone(), ranked("EU", "Tarren Mill", "Ånna", 4), ranked("EU", "Aa", "Ånn", 5)]);
    let expected = Found::expected(&player);
    for (region, server, name) in [
        ("EU", "Tarren Mill", "Ånn"),
        ("eu", "TarrenMill", "Ånn"),
        ("Eu", "tarren-mill", "Ånn"),
        ("EU", "", "Ånn-TarrenMill"),
    ] {
        assert_eq!(lookup(folder.path(), region, server, name).unwrap(), expected, "{region} {server} {name}");
    }
    assert_eq!(lookup(folder.path(), "EU", "Tarren Mill", "Ån").unwrap(), None);
    assert_eq!(lookup(folder.path(), "EU", "Nowhere", "Ånn").unwrap(), None);
}

#[test]
fn a_folder_without_the_region_says_what_it_has_or_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let error = format!("{:#}", lookup(folder.path(), "EU", "Aa", "Ann").unwrap_err());
    assert!(error.contains("has no databases") && error.contains("stint run wcl/db-generator"), "{error}");
    generate(folder.path(), &[ranked("EU", "Aa", "Ann", 1), ranked("US", "Aa", "Ann", 1)]);
    let error = format!("{:#}", lookup(folder.path(), "KR", "Aa", "Ann").unwrap_err());
    assert!(error.contains("no database for region \"KR\", only for EU, US"), "{error}");
    let error = format!("{:#}", lookup(&folder.path().join("absent"), "KR", "Aa", "Ann").unwrap_err());
    assert!(error.contains("cannot list the folder") && error.contains("absent"), "{error}");
}

#[test]
fn damage_is_an_error_that_names_the_file_or_the_player() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), &[ranked("EU", "Aa", "Ann", 1)]);
    let path = database_path(folder.path(), "EU");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = format!("{:#}", read_back(&path).next().unwrap().unwrap_err());
    assert!(error.contains("Stint_EU.lua; generate it again"), "{error}");
    let class_end = whole.find("\nAnn").unwrap() + 4;
    let damaged = format!("{}%~~~~{}", &whole[..class_end], &whole[class_end + 5..]);
    std::fs::write(&path, damaged).unwrap();
    let error = format!("{:#}", read_back(&path).next().unwrap().unwrap_err());
    assert!(error.contains("is damaged") && error.contains("Ann"), "{error}");
}

#[test]
fn sizes_that_the_file_cannot_have_are_an_error_and_take_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), &[ranked("EU", "Aa", "Ann", 1)]);
    let path = database_path(folder.path(), "EU");
    let whole = std::fs::read_to_string(&path).unwrap();
    let directory = whole.find("[\n!").unwrap() + 2;
    let with_place = |at: usize| format!("{}~~~~{}", &whole[..at], &whole[at + 4..]);
    for (damaged, reason) in [
        (with_place(directory), "the directory of server 1 is longer than the file"),
        (with_place(directory + 8), "the records of server 1 are longer than the file"),
        (whole.replace("D.parts=1\n", "D.parts=0\n"), "0 files"),
        (whole.replace("D.parts=1\n", "D.parts=18446744073709551615\n"), "18446744073709551615 files"),
    ] {
        std::fs::write(&path, damaged).unwrap();
        let error = format!("{:#}", read_back(&path).next().unwrap().unwrap_err());
        assert!(error.contains(reason), "{error}");
    }
}
