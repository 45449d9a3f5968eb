//! Unique names of characters.
//!
//! A name spells its player's number in syllables (bijective numeration: no two numbers have the same spelling), with
//! an ending and an accent that can be removed again. So names are unique without a list of those in use.

use crate::random::RandomSequence;

const CONSONANTS: [&str; 17] = ["b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "x", "z"];
const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];
/// The accented forms of each vowel, in the order of the vowels.
const ACCENTED: [[char; 4]; 5] =
    [['å', 'á', 'ä', 'â'], ['é', 'è', 'ë', 'ê'], ['í', 'ì', 'ï', 'î'], ['ó', 'ò', 'ö', 'ø'], ['ú', 'ù', 'ü', 'û']];
/// Endings that no word of plain syllables has.
const ENDINGS: [&str; 9] = ["n", "s", "r", "x", "th", "heal", "storm", "dark", "blade"];
const HANGUL: &str = "가나다라마바사아자차카타파하고노도로모보소오조초코토포호구누두루무부수우주추쿠투푸후";
const HAN: &str =
    "风云雷电山水火月星辰龙虎凤天地玄黄青白赤紫墨剑刀影夜光明暗霜雪冰雨林海江河石金银玉花叶秋春夏冬南北东西";

/// Longer than any name in the game.
const LONGEST: usize = 12;
/// The share of Latin names with an accent, in per mille.
const ACCENTED_PER_MILLE: u32 = 105;
/// The share of names in the local script in Korea, Taiwan and China, in per mille.
const LOCAL_PER_MILLE: u32 = 600;

/// Returns the name that spells `number` in a script of `region` (`US`, `EU`, …).
pub(crate) fn name(number: u32, region: &str, draw: &mut RandomSequence) -> String {
    let local = draw.per_mille(LOCAL_PER_MILLE);
    match region {
        "KR" if local => spell(number, HANGUL),
        "TW" | "CN" if local => spell(number, HAN),
        _ => latin(number, draw),
    }
}

/// Returns at least two characters of `alphabet`.
fn spell(number: u32, alphabet: &str) -> String {
    let letters: Vec<char> = alphabet.chars().collect();
    digits(number + letters.len() as u32, letters.len() as u32).map(|digit| letters[digit as usize]).collect()
}

fn latin(number: u32, draw: &mut RandomSequence) -> String {
    let (mut name, accent) = (String::with_capacity(16), draw.per_mille(ACCENTED_PER_MILLE));
    let accent_choice = draw.below(4) as usize;
    for (position, digit) in digits(number, (CONSONANTS.len() * VOWELS.len()) as u32).enumerate() {
        let (consonant, vowel) = (digit as usize / VOWELS.len(), digit as usize % VOWELS.len());
        name.push_str(CONSONANTS[consonant]);
        let accented = accent && position == 0;
        name.push(if accented { ACCENTED[vowel][accent_choice] } else { VOWELS[vowel] });
    }
    let ending = draw.below(2 * ENDINGS.len() as u64) as usize;
    if let Some(ending) = ENDINGS.get(ending).filter(|ending| name.chars().count() + ending.len() <= LONGEST) {
        name.push_str(ending);
    }
    // The first letter is always one of the plain consonants.
    name[..1].make_ascii_uppercase();
    name
}

/// Returns the digits of `number` in bijective numeration, the least significant first.
fn digits(number: u32, base: u32) -> impl Iterator<Item = u32> {
    let mut rest = number + 1;
    std::iter::from_fn(move || {
        let digit = rest.checked_sub(1)?;
        rest = digit / base;
        Some(digit % base)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::random::Purpose;

    fn names(count: u32) -> impl Iterator<Item = String> {
        let regions = ["US", "EU", "EU", "US", "EU", "KR", "CN"];
        (0..count).map(move |number| {
            name(number, regions[number as usize % 7], &mut RandomSequence::of(1, Purpose::Profile, number.into()))
        })
    }

    #[test]
    fn names_are_unique() {
        assert_eq!(names(50_000).collect::<BTreeSet<_>>().len(), 50_000);
    }

    #[test]
    fn names_are_as_long_as_the_game_allows() {
        for name in names(50_000).chain([latin(40_000_000, &mut RandomSequence::of(2, Purpose::Profile, 0))]) {
            assert!((2..=LONGEST).contains(&name.chars().count()), "{name}");
        }
    }
}
