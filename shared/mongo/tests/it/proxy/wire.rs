//! MongoDB's messages, as far as the proxy understands them.
//! <https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/>

use std::io::{self, Read};

use stint_mongo::mongodb::bson::{Document, deserialize_from_slice, serialize_to_vec};

/// The header: the length of the message, its number, the number of the message that it answers, and its kind.
const HEADER: usize = 16;

/// The kind of a message with a command or an answer.
const OP_MSG: u32 = 2_013;

/// The header, the flags, and the kind of the first section.
const DOCUMENT: usize = HEADER + 4 + 1;

/// A whole message.
pub(super) struct Message(pub(super) Vec<u8>);

impl Message {
    /// Reads the next message.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Message> {
        let mut bytes = vec![0; HEADER];
        from.read_exact(&mut bytes)?;
        let length = number(&bytes, 0) as usize;
        bytes.resize(length.max(HEADER), 0);
        from.read_exact(&mut bytes[HEADER..])?;
        Ok(Message(bytes))
    }

    /// Returns the command. `None` for the handshake of old drivers.
    pub(super) fn command(&self) -> Option<Document> {
        let is_command = number(&self.0, 12) == OP_MSG && self.0.get(DOCUMENT - 1) == Some(&0);
        let end = DOCUMENT + number(self.0.get(DOCUMENT..)?, 0) as usize;
        is_command.then(|| deserialize_from_slice(&self.0[DOCUMENT..end]).unwrap())
    }

    /// Returns an answer to this message.
    pub(super) fn answer(&self, answer: &Document) -> Message {
        let body = serialize_to_vec(answer).unwrap();
        let length = u32::try_from(DOCUMENT + body.len()).unwrap();
        let mut bytes = Vec::new();
        for number in [length, 1, number(&self.0, 4), OP_MSG, 0] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.push(0);
        bytes.extend(body);
        Message(bytes)
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}
