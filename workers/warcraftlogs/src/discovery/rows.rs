//! Collects the rows of a ranking page while its tags are tokenized.
//!
//! Only the current tag and the rows found so far are kept: no tree is built, so depth costs nothing, and each byte is
//! examined a fixed number of times.

use html5gum::{Emitter, Error, State, naive_next_state};

use crate::model::PlayerId;
use crate::player_ref::check_id;

/// Tags between two points at which the reader may abandon a page.
const TAGS_AT_A_TIME: u32 = 4_096;

/// Tags and attributes with longer names are ignored.
const LONGEST_NAME: usize = 32;

/// The prefix of a row's id.
const ROW_ID: &[u8] = b"row-";

/// The path of links to characters.
const CHARACTER_PATH: &str = "/character/";

/// Second part of the path in a link by the character's id.
const BY_ID: &str = "id/";

/// The contents of a ranking page's table. A table without rows is past the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RankingPage {
    /// The characters identified by id in rows, in order.
    pub players: Vec<PlayerId>,
    /// Number of rows. A row that names no character belongs to a hidden one.
    pub rows: u32,
    /// Number of rows that name a character without its id.
    pub by_name: u32,
    /// Whether its pager says that there is a page after this one.
    pub more: bool,
}

/// Progress in a page.
pub(super) enum PageStep {
    /// Some thousand tags were read.
    Tags,
    /// The page has ended. `None`: it has no table.
    End(Option<RankingPage>),
}

/// Collects the rows of a page.
#[derive(Default)]
pub(super) struct Rows {
    tag: Tag,
    /// The name of the last start tag whose content is text up to its end tag, such as `script`.
    text_until: Vec<u8>,
    attribute: Attribute,
    name: Vec<u8>,
    value: Vec<u8>,
    /// The open row.
    row: Option<Row>,
    /// Whether the current list item of a pager is disabled.
    item_disabled: bool,
    has_table: bool,
    pager: Option<Pager>,
    page: RankingPage,
    tags: u32,
    step: Option<PageStep>,
}

/// The current tag.
#[derive(Default)]
struct Tag {
    name: Vec<u8>,
    ends: bool,
    /// Set by attributes.
    is_row: bool,
    link: Option<Link>,
    is_next: bool,
    is_disabled: bool,
    is_page_item: bool,
}

/// A link to a character.
#[derive(Clone, Copy)]
enum Link {
    Id(PlayerId),
    Name,
}

/// The contents of a row.
#[derive(Default)]
struct Row {
    link: Option<Link>,
}

/// A pager's statement about a next page.
#[derive(Clone, Copy)]
enum Pager {
    Last,
    More,
}

/// The current attribute, if it is relevant.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Attribute {
    #[default]
    Other,
    Id,
    Href,
    Rel,
    Class,
    Disabled,
}

impl Rows {
    /// Applies the current attribute.
    fn end_attribute(&mut self) {
        let value = self.value.as_slice();
        match self.attribute {
            Attribute::Other => {}
            Attribute::Id => self.tag.is_row = value.starts_with(ROW_ID),
            Attribute::Href => self.tag.link = character(value),
            Attribute::Rel => self.tag.is_next = words(value).any(|word| word == b"next"),
            Attribute::Class => self.tag.is_page_item = words(value).any(|word| word == b"page-item"),
            Attribute::Disabled => self.tag.is_disabled = value == b"true",
        }
        self.attribute = Attribute::Other;
        self.name.clear();
        self.value.clear();
    }

    fn start_tag(&mut self) {
        match self.tag.name.as_slice() {
            b"table" => self.has_table = true,
            b"tr" => {
                self.end_row();
                self.row = self.tag.is_row.then(Row::default);
            }
            b"a" => self.link(),
            b"li" => {
                self.item_disabled = self.tag.is_disabled;
                if self.tag.is_page_item {
                    self.pager.get_or_insert(Pager::Last);
                }
            }
            _ => {}
        }
    }

    fn link(&mut self) {
        if let Some(row) = &mut self.row
            && !matches!(row.link, Some(Link::Id(_)))
        {
            row.link = self.tag.link.or(row.link);
        }
        // A link to a next page that is not inside a pager's item belongs to another format, and says nothing.
        if self.tag.is_next && !self.item_disabled && self.pager.is_some() {
            self.pager = Some(Pager::More);
        }
    }

    fn end_tag(&mut self) {
        if matches!(self.tag.name.as_slice(), b"tr" | b"tbody" | b"table") {
            self.end_row();
        }
    }

    fn end_row(&mut self) {
        let Some(row) = self.row.take() else { return };
        self.page.rows += 1;
        match row.link {
            Some(Link::Id(id)) => self.page.players.push(id),
            Some(Link::Name) => self.page.by_name += 1,
            None => {}
        }
    }
}

impl Emitter for Rows {
    type Token = PageStep;

    fn init_start_tag(&mut self) {
        let name = std::mem::take(&mut self.tag.name);
        self.tag = Tag { name, ..Tag::default() };
        self.tag.name.clear();
    }

    fn init_end_tag(&mut self) {
        self.init_start_tag();
        self.tag.ends = true;
    }

    #[inline]
    fn push_tag_name(&mut self, name: &[u8]) {
        if self.tag.name.len() < LONGEST_NAME {
            self.tag.name.extend_from_slice(name);
        }
    }

    fn init_attribute(&mut self) {
        self.end_attribute();
    }

    #[inline]
    fn push_attribute_name(&mut self, name: &[u8]) {
        if self.name.len() < LONGEST_NAME {
            self.name.extend_from_slice(name);
        }
    }

    #[inline]
    fn init_attribute_value(&mut self) {
        self.attribute = match (self.tag.name.as_slice(), self.name.as_slice()) {
            (b"tr", b"id") => Attribute::Id,
            (b"a", b"href") => Attribute::Href,
            (b"a", b"rel") => Attribute::Rel,
            (b"li", b"class") => Attribute::Class,
            (b"li", b"aria-disabled") => Attribute::Disabled,
            _ => Attribute::Other,
        };
    }

    #[inline]
    fn push_attribute_value(&mut self, value: &[u8]) {
        if self.attribute != Attribute::Other {
            self.value.extend_from_slice(value);
        }
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        self.end_attribute();
        self.tags += 1;
        if self.tags.is_multiple_of(TAGS_AT_A_TIME) {
            self.step = Some(PageStep::Tags);
        }
        if self.tag.ends {
            self.end_tag();
            self.text_until.clear();
            return None;
        }
        self.start_tag();
        let text = naive_next_state(&self.tag.name);
        if text.is_some() {
            self.text_until.clone_from(&self.tag.name);
        }
        text
    }

    fn current_is_appropriate_end_tag_token(&mut self) -> bool {
        self.tag.ends && !self.text_until.is_empty() && self.text_until == self.tag.name
    }

    fn emit_eof(&mut self) {
        self.end_row();
        self.page.more = matches!(self.pager, Some(Pager::More));
        self.step = Some(PageStep::End(self.has_table.then(|| std::mem::take(&mut self.page))));
    }

    fn pop_token(&mut self) -> Option<PageStep> {
        self.step.take()
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }

    fn emit_error(&mut self, _: Error) {}

    fn set_last_start_tag(&mut self, _: Option<&[u8]>) {}

    fn emit_string(&mut self, _: &[u8]) {}

    fn init_comment(&mut self) {}

    fn push_comment(&mut self, _: &[u8]) {}

    fn emit_current_comment(&mut self) {}

    fn set_self_closing(&mut self) {}

    fn init_doctype(&mut self) {}

    fn push_doctype_name(&mut self, _: &[u8]) {}

    fn set_doctype_public_identifier(&mut self, _: &[u8]) {}

    fn set_doctype_system_identifier(&mut self, _: &[u8]) {}

    fn push_doctype_public_identifier(&mut self, _: &[u8]) {}

    fn push_doctype_system_identifier(&mut self, _: &[u8]) {}

    fn set_force_quirks(&mut self) {}

    fn emit_current_doctype(&mut self) {}
}

fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(u8::is_ascii_whitespace)
}

/// The character that a link points to: by id in `…/character/id/57147396`, with or without a slash at the end, or by
/// name in `…/character/eu/tarren-mill/Ånn`.
fn character(link: &[u8]) -> Option<Link> {
    let link = std::str::from_utf8(link).ok()?;
    let (_, rest) = link.split_once(CHARACTER_PATH)?;
    let Some(rest) = rest.strip_prefix(BY_ID) else { return Some(Link::Name) };
    let id = rest.split(['/', '?', '#']).next()?.parse().ok();
    id.filter(|id| check_id(*id).is_ok()).map(Link::Id)
}
