//! A compact form of messages: a queue may hold millions that differ in one number.

use std::collections::HashMap;
use std::fmt::Write;

/// Digits of the largest number in a body.
const LONGEST_VALUE: usize = 10;

/// A message as the queue stores it.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredMessage {
    /// The message's id.
    pub(super) number: u32,
    /// The index of the body's form.
    body: u32,
    /// The number in the body, if it has one.
    value: u32,
    /// In seconds since the queue was created.
    pub(super) sent_at: u32,
    /// How often it was received.
    pub(super) receives: u16,
}

/// Bodies without their first number. The text around it is stored once for all messages that share it.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    known: HashMap<Box<str>, u32>,
    /// The text before and after the number. A body without a number is all before it.
    forms: Vec<(Box<str>, Option<Box<str>>)>,
}

impl Bodies {
    /// Returns a message with this body.
    pub(super) fn message(&mut self, number: u32, body: &str, sent_at: u32) -> StoredMessage {
        let (before, value, behind) = cut(body);
        let key = match behind {
            // No body contains a zero byte: JSON escapes it.
            Some(behind) => [before, "\0", behind].concat(),
            None => before.to_owned(),
        };
        let form = self.known.get(key.as_str()).copied().unwrap_or_else(|| {
            let form = self.forms.len() as u32;
            self.forms.push((before.into(), behind.map(Into::into)));
            self.known.insert(key.into(), form);
            form
        });
        StoredMessage { number, body: form, value, sent_at, receives: 0 }
    }

    /// Returns the body of `message`.
    pub(super) fn read(&self, message: &StoredMessage) -> String {
        let Some((before, behind)) = self.forms.get(message.body as usize) else { return String::new() };
        match behind {
            Some(behind) => {
                let mut body = String::with_capacity(before.len() + LONGEST_VALUE + behind.len());
                body.push_str(before);
                // Writing to a string does not fail.
                let _ = write!(body, "{}", message.value);
                body.push_str(behind);
                body
            }
            None => before.to_string(),
        }
    }
}

/// Splits a body at its first number: `{"id":`, `7`, `,"raids":{}}`. A number that would be written back differently
/// stays in the text.
fn cut(body: &str) -> (&str, u32, Option<&str>) {
    let Some(start) = body.find(|character: char| character.is_ascii_digit()) else { return (body, 0, None) };
    let length = body[start..].bytes().take_while(u8::is_ascii_digit).count();
    let digits = &body[start..start + length];
    let plain = digits == "0" || !digits.starts_with('0');
    match digits.parse() {
        Ok(value) if plain => (&body[..start], value, Some(&body[start + length..])),
        _ => (body, 0, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_is_read_back_as_it_was_written() {
        let mut bodies = Bodies::default();
        for body in ["{}", "", "7", "007", "0", "a0b1", "99999999999999", r#"{"id":57147396,"raids":{"26":[3]}}"#] {
            let message = bodies.message(1, body, 0);
            assert_eq!(bodies.read(&message), body);
        }
        let forms = bodies.forms.len();
        bodies.message(1, r#"{"id":8,"raids":{"26":[3]}}"#, 0);
        assert_eq!(bodies.forms.len(), forms, "a form is kept once");
    }

    #[test]
    fn a_stored_message_is_small() {
        assert_eq!(std::mem::size_of::<StoredMessage>(), 20);
    }
}
