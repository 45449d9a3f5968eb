//! Writes JSON directly into a string: millions of answers are written, and none of them is read back here.

/// Writes a member's name. GraphQL names need no escapes.
pub(crate) fn key(out: &mut String, name: &str) {
    out.push('"');
    out.push_str(name);
    out.push_str("\":");
}

/// Writes a string.
pub(crate) fn text(out: &mut String, text: &str) {
    out.push('"');
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push_str(text);
        out.push('"');
        return;
    }
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            control if control < ' ' => out.push(' '),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Writes a non-negative integer.
pub(crate) fn number(out: &mut String, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.push_str(std::str::from_utf8(&digits[first..]).unwrap_or_default());
}

/// Writes an integer.
pub(crate) fn signed(out: &mut String, value: i64) {
    if value < 0 {
        out.push('-');
    }
    number(out, value.unsigned_abs());
}

/// Writes `value` divided by ten to the power of `places`, without trailing zeros: `92.7385`, `100`.
pub(crate) fn decimal(out: &mut String, value: u64, places: u32) {
    let scale = 10u64.pow(places);
    number(out, value / scale);
    let (mut rest, mut left) = (value % scale, scale);
    if rest > 0 {
        out.push('.');
    }
    while rest > 0 {
        left /= 10;
        out.push(char::from(b'0' + (rest / left) as u8));
        rest %= left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn numbers_are_written_like_numbers() {
        assert_eq!(written(|out| number(out, 0)), "0");
        assert_eq!(written(|out| number(out, u64::MAX)), u64::MAX.to_string());
        assert_eq!(written(|out| signed(out, -1)), "-1");
        assert_eq!(written(|out| decimal(out, 92_738_500, 6)), "92.7385");
        assert_eq!(written(|out| decimal(out, 100_000_000, 6)), "100");
        assert_eq!(written(|out| decimal(out, 5, 6)), "0.000005");
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(written(|out| text(out, "a\"b\\c\nÅ")), r#""a\"b\\c\nÅ""#);
    }
}
