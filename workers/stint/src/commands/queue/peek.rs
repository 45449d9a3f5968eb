//! Shows the messages of a queue without receiving them.

use jiff::Timestamp;
use serde::Serialize;
use stint_core::ports::{DeadLetter, Delivery};

use super::fleet_queue::{FleetQueue, backlog};
use crate::commands::selection::Selection;
use crate::context::Context;
use crate::escape::one_line;
use crate::format::{count, number};
use crate::time_format::format_time;

/// In text output a body is cut after this many characters. JSON output has the whole body.
const MAX_BODY_CHARS: usize = 400;

#[derive(clap::Args)]
#[command(after_help = format!("Examples:\n  stint queue peek\n  stint queue peek {} --dead --max 50", backlog()))]
pub(super) struct Peek {
    #[arg(help = format!("The queue; without it {}, the backlog", backlog()))]
    pub(super) queue: Option<String>,
    /// The dead letters, oldest first, with the reason of each.
    #[arg(long)]
    dead: bool,
    /// Show at most this many.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    max: u32,
}

#[derive(Serialize)]
struct Peeked {
    queue: String,
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Message>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letters: Option<Vec<DeadLetter>>,
}

#[derive(Serialize)]
struct Message {
    message_id: String,
    body: String,
    receive_count: u32,
    sent_at: Timestamp,
}

impl From<Delivery> for Message {
    fn from(delivery: Delivery) -> Message {
        let Delivery { message_id, body, receive_count, sent_at, .. } = delivery;
        Message { message_id, body, receive_count, sent_at }
    }
}

pub(super) async fn run(arguments: &Peek, selection: &Selection, context: &Context) -> anyhow::Result<()> {
    let queue = FleetQueue::find(arguments.queue.as_deref(), selection)?.queue;
    let (counts, max) = (queue.counts().await?, arguments.max as usize);
    let mut peeked = Peeked { queue: queue.name().to_owned(), total: 0, messages: None, dead_letters: None };
    if arguments.dead {
        peeked.total = counts.dead_letters;
        peeked.dead_letters = Some(queue.dead_letters(max).await?);
    } else {
        peeked.total = counts.visible + counts.delayed;
        peeked.messages = Some(queue.peek(max).await?.into_iter().map(Message::from).collect());
    }
    let now = context.clock.now();
    context.output.result(&peeked, |peeked| to_text(peeked, now))
}

fn to_text(peeked: &Peeked, now: Timestamp) -> String {
    let messages = peeked.messages.iter().flatten().map(|message| message_text(message, now));
    let letters = peeked.dead_letters.iter().flatten().map(|letter| letter_text(letter, now));
    let shown: Vec<String> = messages.chain(letters).collect();
    let (one, many) =
        if peeked.dead_letters.is_some() { ("dead letter", "dead letters") } else { ("message", "messages") };
    if shown.is_empty() {
        return format!("{} has no {many}\n", peeked.queue);
    }
    let hidden = peeked.total.saturating_sub(shown.len() as u64);
    let more = if hidden > 0 { format!("and {} more; see them with --max\n", number(hidden)) } else { String::new() };
    format!("{} has {}\n{}{more}", peeked.queue, count(peeked.total, one, many), shown.concat())
}

fn message_text(message: &Message, now: Timestamp) -> String {
    let Message { message_id, body, receive_count, sent_at } = message;
    let received = count(u64::from(*receive_count), "receive", "receives");
    format!("  {message_id}  sent {}, {received}\n    {}\n", format_time(*sent_at, now), shortened(body))
}

fn letter_text(letter: &DeadLetter, now: Timestamp) -> String {
    let DeadLetter { message_id, body, receive_count, reason, dead_lettered_at } = letter;
    let received = count(u64::from(*receive_count), "receive", "receives");
    let (moved, reason) = (format_time(*dead_lettered_at, now), one_line(reason));
    format!("  {message_id}  dead-lettered {moved} after {received}: {reason}\n    {}\n", shortened(body))
}

fn shortened(body: &str) -> String {
    let text = one_line(body);
    match text.char_indices().nth(MAX_BODY_CHARS) {
        Some((end, _)) => format!("{} … ({} bytes)", &text[..end], number(body.len() as u64)),
        None => text,
    }
}
