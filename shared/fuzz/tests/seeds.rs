//! Runs every seed once, so that an input that has ever failed fails here first.

use std::path::Path;

use stint_fuzz::TARGETS;

#[test]
fn every_seed_of_every_target_passes() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for target in TARGETS {
        let folder = seeds.join(target.name);
        let files: Vec<_> = std::fs::read_dir(&folder).expect(target.name).map(|entry| entry.unwrap().path()).collect();
        assert!(!files.is_empty(), "{} has no seed", target.name);
        for file in files {
            let input = std::fs::read(&file).unwrap();
            let passed = std::panic::catch_unwind(|| (target.run)(&input));
            assert!(passed.is_ok(), "{} breaks {}", file.display(), target.name);
        }
    }
}

#[test]
fn every_folder_of_seeds_belongs_to_a_target() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for entry in std::fs::read_dir(seeds).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(stint_fuzz::target(name.to_str().unwrap()).is_some(), "{name:?}");
    }
}

#[test]
fn empty_input_passes() {
    TARGETS.iter().for_each(|target| (target.run)(&[]));
}
