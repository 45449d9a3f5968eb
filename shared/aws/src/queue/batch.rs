//! Requests of up to ten entries, each of which may fail independently.

use std::ops::Range;

use aws_sdk_sqs::types::BatchResultErrorEntry;
use stint_core::ports::MAX_BATCH;

/// The most bytes of all bodies and attributes of a batch together.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub(super) const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// The codes with which SQS reports a stale receipt: the visibility timeout has passed, or the message is gone.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>
const STALE: [&str; 4] = [
    "ReceiptHandleIsInvalid",
    "MessageNotInflight",
    "AWS.SimpleQueueService.MessageNotInflight",
    // The message of this code is "the receipt handle has expired".
    "InvalidParameterValue",
];

/// Splits entries of these sizes in bytes into batches that SQS accepts. An entry that is too large gets a batch of its
/// own, which SQS refuses.
pub(super) fn batches(sizes: impl IntoIterator<Item = usize>) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (index, size) in sizes.into_iter().enumerate() {
        match batches.last_mut() {
            Some(batch) if batch.len() < MAX_BATCH && bytes + size <= MAX_BATCH_BYTES => {
                batch.end = index + 1;
                bytes += size;
            }
            _ => {
                batches.push(index..index + 1);
                bytes = size;
            }
        }
    }
    batches
}

/// The entries of a batch that did not succeed, by index.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Failures {
    /// Entries with a stale receipt.
    pub(super) stale: Vec<usize>,
    /// Entries that failed through a fault of SQS and may be sent again.
    pub(super) passing: Vec<usize>,
    /// Entries that would fail again.
    pub(super) refused: Vec<usize>,
    /// What SQS said about a passing or refused entry.
    message: String,
}

impl Failures {
    /// Sorts the failed entries, whose ids are their indexes. If `receipts` is set, the entries are receipts and may be
    /// stale.
    pub(super) fn of(entries: &[BatchResultErrorEntry], receipts: bool) -> Failures {
        let mut failures = Failures::default();
        for entry in entries {
            let Ok(index) = entry.id.parse() else { continue };
            if receipts && STALE.contains(&entry.code.as_str()) {
                failures.stale.push(index);
                continue;
            }
            let kind = if entry.sender_fault { &mut failures.refused } else { &mut failures.passing };
            kind.push(index);
            failures.message = format!("{}: {}", entry.code, entry.message.as_deref().unwrap_or("no reason given"));
        }
        failures
    }

    /// Returns the numbers of the failed entries, and what SQS said.
    pub(super) fn reason(&self, of: usize) -> String {
        let left = if self.refused.is_empty() { &self.passing } else { &self.refused };
        let numbers: Vec<String> = left.iter().map(|index| (index + 1).to_string()).collect();
        format!("number {} of {of}: {}", numbers.join(", "), self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(id: &str, code: &str, sender_fault: bool) -> BatchResultErrorEntry {
        let entry = BatchResultErrorEntry::builder().id(id).code(code).sender_fault(sender_fault);
        entry.message("words").build().unwrap()
    }

    #[test]
    fn a_batch_is_full_at_ten_entries() {
        assert_eq!(batches([]), []);
        assert_eq!(batches([1; 10]).len(), 1);
        assert_eq!(batches([1; 21]), [0..10, 10..20, 20..21]);
    }

    #[test]
    fn a_batch_is_full_at_its_bytes() {
        let half = MAX_BATCH_BYTES / 2;
        assert_eq!(batches([half, half, 1]), [0..2, 2..3]);
        assert_eq!(batches([half, half + 1, 1]), [0..1, 1..3]);
        assert_eq!(batches([1, MAX_BATCH_BYTES * 2, 1]), [0..1, 1..2, 2..3]);
    }

    #[test]
    fn failures_are_sorted_by_what_helps() {
        let entries = [
            failed("0", "ReceiptHandleIsInvalid", true),
            failed("3", "InternalError", false),
            failed("7", "AccessDenied", true),
        ];
        let failures = Failures::of(&entries, true);
        assert_eq!((failures.stale, failures.passing, failures.refused), (vec![0], vec![3], vec![7]));
    }

    #[test]
    fn a_message_is_never_stale() {
        let failures = Failures::of(&[failed("2", "InvalidParameterValue", true)], false);
        assert_eq!(failures.refused, [2]);
        assert_eq!(failures.reason(5), "number 3 of 5: InvalidParameterValue: words");
    }
}
