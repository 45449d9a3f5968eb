//! Damaged answers: what an upstream, a proxy or the network may turn a valid answer into.

/// Numbers at the limits of common types.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1",
    "4294967296",
    "9007199254740993",
    "18446744073709551615",
    "99999999999999999999999999",
    "1e308",
    "-0.0",
    "0.5",
    "1e-7",
    "100.00001",
];

/// Values and markup that replace others.
const PIECES: [&str; 14] = [
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "\"NaN\"",
    "\\u0000",
    "\u{1b}[2J",
    "\u{feff}",
    "<script>",
    "</table>",
    "<!--",
    "\r\n\r\n",
    "&#0;",
];

/// Whole bodies that are unrelated to the request.
const BODIES: [&str; 8] = [
    "",
    "null",
    "[]",
    "{}",
    "\"Bad Gateway\"",
    "<html><head><title>502 Bad Gateway</title></head><body></body></html>",
    r#"{"errors":[{"message":"Internal server error"}]}"#,
    r#"{"error":{"code":8,"message":"Service temporarily unavailable"}}"#,
];

/// The greatest depth of nested brackets.
const DEEPEST: u64 = 20_000;

/// The peak memory of this process, in megabytes. `None` where the system does not report it.
pub fn peak_megabytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = peak.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes / 1024)
}

/// A source of mutations. The same seed gives the same sequence.
pub struct Mutations(u64);

impl Mutations {
    /// Returns the mutations of `seed`.
    pub fn new(seed: u64) -> Mutations {
        Mutations(seed)
    }

    /// Returns a number from 0 to `limit`, exclusive; 0 if `limit` is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64: <https://prng.di.unimi.it/splitmix64.c>
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).checked_rem(limit).unwrap_or_default()
    }

    /// Returns `whole` with one to three mutations.
    pub fn body(&mut self, whole: &[u8]) -> Vec<u8> {
        let mut body = whole.to_vec();
        for _ in 0..=self.below(3) {
            self.step(&mut body);
        }
        body
    }

    /// Returns `value` with a mutation that may still be a valid header value.
    pub fn header(&mut self, value: &str) -> String {
        let mut value = value.as_bytes().to_vec();
        if self.below(4) > 0 {
            self.number(&mut value)
        } else {
            self.step(&mut value)
        }
        let text = String::from_utf8_lossy(&value);
        text.chars().filter(|character| (' '..='~').contains(character)).take(500).collect()
    }

    fn step(&mut self, body: &mut Vec<u8>) {
        let (from, to) = self.range(body.len());
        match self.below(12) {
            0 | 1 => self.flip(body),
            2 => drop(body.drain(from..to)),
            3 => {
                let again = body[from..to].to_vec();
                body.splice(to..to, again);
            }
            4 => body.truncate(from),
            5 => body[from..to].reverse(),
            6..=8 => self.number(body),
            9 => {
                let piece = self.one_of(&PIECES);
                body.splice(from..to, piece.bytes());
            }
            10 => {
                let deep = self.below(DEEPEST) as usize;
                body.splice(from..from, self.one_of(&["[", "{\"a\":", "<div>"]).repeat(deep).into_bytes());
            }
            _ if self.below(4) == 0 => *body = self.one_of(&BODIES).as_bytes().to_vec(),
            _ => {
                let piece = self.one_of(&PIECES);
                body.splice(from..from, piece.bytes());
            }
        }
    }

    fn flip(&mut self, body: &mut [u8]) {
        let bit = self.below(body.len() as u64 * 8) as usize;
        if let Some(byte) = body.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
    }

    /// Replaces the first number after a random position, if there is one.
    fn number(&mut self, body: &mut Vec<u8>) {
        let start = self.below(body.len() as u64) as usize;
        let Some(from) = body[start..].iter().position(u8::is_ascii_digit).map(|at| start + at) else { return };
        let length = body[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = self.one_of(&NUMBERS);
        body.splice(from..from + length, number.bytes());
    }

    /// Returns a short random range within `length`.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let from = self.below(length as u64 + 1) as usize;
        (from, (from + self.below(40) as usize).min(length))
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_are_deterministic_and_change_most_answers() {
        let whole = br#"{"id":57147396,"name":"Ann","best":95.3}"#;
        let all = |seed| {
            let mut mutations = Mutations::new(seed);
            (0..200).map(|_| mutations.body(whole)).collect::<Vec<_>>()
        };
        assert_eq!(all(1), all(1));
        assert_ne!(all(1), all(2));
        assert!(all(3).iter().filter(|body| *body != whole).count() > 190);
        let mut mutations = Mutations::new(4);
        assert!(
            (0..200)
                .all(|_| mutations.header("45:60:120,180:1800:600").bytes().all(|byte| (b' '..=b'~').contains(&byte)))
        );
        (0..200).for_each(|_| _ = mutations.body(b""));
    }
}
