//! A fast reader of simple documents.
//!
//! A simulation sends millions of documents, and the parser would take half of its time. Most documents use a small
//! part of the language: fields, aliases, arguments with literals, fragments. This reads that part into the parser's
//! own tree. It returns `None` for everything else, including mistakes, and the parser is used instead.

use graphql_parser::Pos;
use graphql_parser::query::{
    Definition, Document, Field, FragmentDefinition, FragmentSpread, InlineFragment, OperationDefinition, Query,
    Selection, SelectionSet, TypeCondition, Value,
};

/// Deeper documents are left to the parser.
const DEEPEST: usize = 24;
/// Positions are only needed in error messages, and those come from the parser.
const NOWHERE: Pos = Pos { line: 0, column: 0 };

type Text<'d> = &'d str;
type Arguments<'d> = Vec<(&'d str, Value<'d, Text<'d>>)>;

/// Returns the document, if it is simple enough.
pub(super) fn read(text: &str) -> Option<Document<'_, Text<'_>>> {
    let mut reader = Reader { text, at: 0 };
    let mut definitions = Vec::new();
    while reader.peek().is_some() {
        definitions.push(reader.definition()?);
    }
    (!definitions.is_empty()).then_some(Document { definitions })
}

struct Reader<'d> {
    text: &'d str,
    at: usize,
}

impl<'d> Reader<'d> {
    fn definition(&mut self) -> Option<Definition<'d, Text<'d>>> {
        if self.peek()? == b'{' {
            return Some(Definition::Operation(OperationDefinition::SelectionSet(self.selections(0)?)));
        }
        match self.name()? {
            "query" => {
                let name = if self.peek()? == b'{' { None } else { Some(self.name()?) };
                let selection_set = self.selections(0)?;
                let (variable_definitions, directives) = (Vec::new(), Vec::new());
                let query = Query { position: NOWHERE, name, variable_definitions, directives, selection_set };
                Some(Definition::Operation(OperationDefinition::Query(query)))
            }
            "fragment" => {
                let name = self.name().filter(|name| *name != "on")?;
                let type_condition = self.condition()?;
                let selection_set = self.selections(0)?;
                let directives = Vec::new();
                let fragment =
                    FragmentDefinition { position: NOWHERE, name, type_condition, directives, selection_set };
                Some(Definition::Fragment(fragment))
            }
            _ => None,
        }
    }

    fn selections(&mut self, depth: usize) -> Option<SelectionSet<'d, Text<'d>>> {
        self.expect(b'{')?;
        let mut items = Vec::with_capacity(8);
        while self.peek()? != b'}' {
            items.push(self.selection(depth)?);
        }
        self.at += 1;
        (!items.is_empty() && depth < DEEPEST).then_some(SelectionSet { span: (NOWHERE, NOWHERE), items })
    }

    fn selection(&mut self, depth: usize) -> Option<Selection<'d, Text<'d>>> {
        if self.peek()? == b'.' {
            return self.fragment(depth);
        }
        let (mut name, mut alias) = (self.name()?, None);
        if self.peek()? == b':' {
            self.at += 1;
            alias = Some(std::mem::replace(&mut name, self.name()?));
        }
        let arguments = if self.peek()? == b'(' { self.arguments()? } else { Vec::new() };
        let selection_set = match self.peek()? {
            b'{' => self.selections(depth + 1)?,
            b'}' | b'.' | b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                SelectionSet { span: (NOWHERE, NOWHERE), items: Vec::new() }
            }
            _ => return None,
        };
        let directives = Vec::new();
        Some(Selection::Field(Field { position: NOWHERE, alias, name, arguments, directives, selection_set }))
    }

    fn fragment(&mut self, depth: usize) -> Option<Selection<'d, Text<'d>>> {
        self.text[self.at..].starts_with("...").then(|| self.at += 3)?;
        let (position, directives) = (NOWHERE, Vec::new());
        let before = self.at;
        if self.peek()? != b'{' {
            let fragment_name = self.name()?;
            if fragment_name != "on" {
                return Some(Selection::FragmentSpread(FragmentSpread { position, fragment_name, directives }));
            }
            self.at = before;
        }
        let type_condition = if self.peek()? == b'{' { None } else { Some(self.condition()?) };
        let selection_set = self.selections(depth + 1)?;
        Some(Selection::InlineFragment(InlineFragment { position, type_condition, directives, selection_set }))
    }

    fn condition(&mut self) -> Option<TypeCondition<'d, Text<'d>>> {
        self.name().filter(|name| *name == "on")?;
        self.name().map(TypeCondition::On)
    }

    fn arguments(&mut self) -> Option<Arguments<'d>> {
        self.expect(b'(')?;
        let mut arguments = Vec::with_capacity(4);
        while self.peek()? != b')' {
            let name = self.name()?;
            self.expect(b':')?;
            arguments.push((name, self.value()?));
        }
        self.at += 1;
        (!arguments.is_empty()).then_some(arguments)
    }

    fn value(&mut self) -> Option<Value<'d, Text<'d>>> {
        match self.peek()? {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            _ => match self.name()? {
                "true" => Some(Value::Boolean(true)),
                "false" => Some(Value::Boolean(false)),
                "null" => Some(Value::Null),
                name => Some(Value::Enum(name)),
            },
        }
    }

    /// Reads a string without escapes on one line.
    fn string(&mut self) -> Option<Value<'d, Text<'d>>> {
        let rest = &self.text[self.at + 1..];
        let (string, _) = rest.split_once('"')?;
        self.at += string.len() + 2;
        let block = string.is_empty() && rest[1..].starts_with('"');
        let plain = !block && !string.contains(['\\', '\n', '\r']);
        plain.then(|| Value::String(string.to_owned()))
    }

    /// Reads a 32-bit integer. Fractions are left to the parser.
    fn number(&mut self) -> Option<Value<'d, Text<'d>>> {
        let rest = &self.text[self.at..];
        let length = rest[1..].bytes().take_while(u8::is_ascii_digit).count() + 1;
        let (digits, after) = rest.split_at(length);
        let plain = !digits.trim_start_matches('-').starts_with('0') || digits == "0";
        let ends = !after.starts_with(|next: char| next == '.' || next == '_' || next.is_ascii_alphanumeric());
        self.at += length;
        let number: i32 = (plain && ends).then(|| digits.parse().ok())??;
        Some(Value::Int(number.into()))
    }

    fn name(&mut self) -> Option<&'d str> {
        self.peek()?;
        let rest = &self.text[self.at..];
        let letters = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let length = letters.count();
        let starts = !rest.starts_with(|first: char| first.is_ascii_digit());
        self.at += length;
        (length > 0 && starts).then(|| &rest[..length])
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        let found = self.peek()? == byte;
        self.at += usize::from(found);
        found.then_some(())
    }

    /// Returns the next byte after white space and commas, which are insignificant.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',') {
                return Some(byte);
            }
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Documents that this reads. The parser reads them to the same tree.
    const PLAIN: &[&str] = &[
        "{ a }",
        "query Ranks { rateLimitData { ...P } a: characterData, { character(id: 7, name:\"Å nn\") { ... on Character { id } } } }\nfragment P on RateLimitData { limitPerHour }",
        "{ a(b: true c: null, d: -3 e: Kills f: \"\") { ... { b } ...c on: d query } }",
        "query { a } query fragment { b }",
        "{ on { fragment } true }",
    ];

    /// Documents that this must leave to the parser, valid or not.
    const OTHER: &[&str] = &[
        "",
        "{ }",
        "{ a",
        "{ a() }",
        "{ a {} }",
        "{ a: }",
        "{ a(b: 1.5) }",
        "{ a(b: 01) }",
        "{ a(b: -) }",
        "{ a(b: 99999999999) }",
        "{ a(b: 1c) }",
        "{ a(b: [1]) }",
        "{ a(b: $c) }",
        "{ a(b: \"\\n\") }",
        "{ a(b: \"\"\"c\"\"\") }",
        "{ a @skip(if: true) }",
        "{ a # b\n }",
        "{ ..a }",
        "{ 1a }",
        "query($a: Int) { a }",
        "mutation { a }",
        "fragment on on A { a }",
        "{ a } }",
        "{ å }",
    ];

    #[test]
    fn plain_documents_are_read_as_the_parser_reads_them() {
        for text in PLAIN {
            let read = read(text).unwrap_or_else(|| panic!("not read: {text}"));
            let parsed = graphql_parser::parse_query::<&str>(text).expect("a document");
            assert_eq!(read.to_string(), parsed.to_string());
        }
    }

    #[test]
    fn everything_else_is_left_to_the_parser() {
        for text in OTHER {
            assert!(read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_truncated_page_file_is_an_error() {
        for text in PLAIN {
            let ends = (0..text.len()).filter(|end| text.is_char_boundary(*end));
            for cut in ends.map(|end| &text[..end]) {
                let parsed = graphql_parser::parse_query::<&str>(cut).ok().map(|document| document.to_string());
                if let Some(read) = read(cut) {
                    assert_eq!(Some(read.to_string()), parsed, "{cut}");
                }
            }
        }
    }
}
