//! One file per target.

pub(crate) mod breaker;
pub(crate) mod cli_text;
pub(crate) mod git_pack;
pub(crate) mod git_references;
pub(crate) mod import;
pub(crate) mod ledger;
pub(crate) mod look_ahead;
pub(crate) mod lua_database;
pub(crate) mod lua_record;
pub(crate) mod lua_trailer;
pub(crate) mod messages;
pub(crate) mod page_file;
pub(crate) mod ranking_page;
pub(crate) mod ranking_parser;
pub(crate) mod ranks;
pub(crate) mod rate_limits;
pub(crate) mod reports;
pub(crate) mod stash_page;
