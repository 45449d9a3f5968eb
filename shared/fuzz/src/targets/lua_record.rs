//! A player's record and the models that decode it: records of any content survive a round trip, and any digits are
//! decoded or refused.

use arbitrary::{Arbitrary, Unstructured};
use stint_warcraftlogs::lua::fuzzing::{Parts, Section, Table};

#[derive(Arbitrary, Debug)]
struct Input {
    tenths: bool,
    /// The number of encounters in each section's raid.
    encounters: Vec<u8>,
    players: Vec<Player>,
    digits: Vec<u8>,
    models: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
struct Player {
    class_id: u8,
    day: u16,
    sections: Vec<(Option<u16>, Option<u16>, Vec<Boss>)>,
}

#[derive(Arbitrary, Debug)]
struct Boss {
    encounter: u8,
    percent: Option<u16>,
    kills: u32,
    spec: u8,
}

/// More elements find nothing new.
const MOST: usize = 8;

pub(crate) fn run(input: &[u8]) {
    let Ok(input) = Input::arbitrary(&mut Unstructured::new(input)) else { return };
    let encounters: Vec<usize> = input.encounters.iter().take(MOST).map(|count| usize::from(*count) % 70 + 1).collect();
    let steps = if input.tenths { 10 } else { 1 };
    let players: Vec<Parts> =
        input.players.iter().take(MOST).map(|player| parts(player, &encounters, 100 * steps)).collect();
    let table = Table::of(&players, &encounters, input.tenths);
    for player in &players {
        let digits = table.write(player).expect("the models have seen every player");
        assert!(digits.iter().all(u8::is_ascii_graphic), "a digit is printable");
        assert_eq!(table.read(&digits).as_ref(), Some(player), "what was written is read");
        // Damaged digits are refused, or decoded as another player that could exist.
        let mut damaged = digits;
        for (place, byte) in input.digits.iter().enumerate() {
            let length = damaged.len();
            damaged[place % length] = byte % 94 + b'!';
            check(table.read(&damaged), &encounters);
        }
    }
    check(table.read(&input.digits), &encounters);
    if let Some(printed) = Table::reprinted(&input.models) {
        assert_eq!(Table::reprinted(&printed).as_deref(), Some(&*printed), "models are read as they were printed");
    }
}

fn parts(player: &Player, encounters: &[usize], most: u16) -> Parts {
    let sections = player.sections.iter().zip(encounters).enumerate().map(|(head, ((best, median, bosses), count))| {
        let percent = |percent: Option<u16>| percent.map(|percent| percent % (most + 1));
        let mut cells: Vec<_> = bosses
            .iter()
            .map(|boss| {
                let encounter = u16::from(boss.encounter) % *count as u16;
                (encounter, percent(boss.percent), boss.kills, u16::from(boss.spec))
            })
            .collect();
        cells.sort_unstable_by_key(|cell| cell.0);
        cells.dedup_by_key(|cell| cell.0);
        Section { head, best: percent(*best), median: percent(*median), cells }
    });
    let day = u32::from(player.day) % (94 * 94);
    Parts { name: b"Ann".to_vec(), class_id: u32::from(player.class_id) % 32, day, sections: sections.collect() }
}

fn check(read: Option<Parts>, encounters: &[usize]) {
    let Some(read) = read else { return };
    assert!(read.sections.is_sorted_by_key(|section| section.head));
    for section in read.sections {
        let count = encounters[section.head];
        assert!(section.cells.iter().all(|cell| usize::from(cell.0) < count), "an encounter that the raid has");
        assert!(section.cells.is_sorted_by_key(|cell| cell.0));
    }
}
