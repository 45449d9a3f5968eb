//! A receipt: which loan it proves, and what a burial needs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use stint_core::ports::Receipt;

/// A message on loan. SQS moves no message to the dead letters when it is told to: whoever rejects a message sends it
/// there, and so must have it at hand. The receipt carries it, since an invocation keeps nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Loan {
    /// SQS's own proof of the loan.
    pub(super) handle: String,
    pub(super) message_id: String,
    pub(super) receive_count: u32,
    pub(super) body: String,
}

impl Loan {
    /// The loans of `receipts`, each once: SQS takes no batch that names one twice. A receipt that is not of our making
    /// proves nothing, like a stale one.
    pub(super) fn of(receipts: &[Receipt]) -> Vec<Loan> {
        let mut seen = BTreeSet::new();
        let loans = receipts.iter().filter_map(|receipt| serde_json::from_str::<Loan>(&receipt.0).ok());
        loans.filter(|loan| seen.insert(loan.handle.clone())).collect()
    }

    pub(super) fn receipt(&self) -> Receipt {
        // Text and numbers always become JSON; an empty receipt would prove nothing.
        Receipt(serde_json::to_string(self).unwrap_or_default())
    }
}

/// The receipt of a message that somebody else has received from SQS: the event source mapping, which hands it to a
/// function.
pub fn receipt(handle: &str, message_id: &str, receive_count: u32, body: &str) -> Receipt {
    let (handle, message_id, body) = (handle.to_owned(), message_id.to_owned(), body.to_owned());
    Loan { handle, message_id, receive_count, body }.receipt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_brings_the_loan_back() {
        let receipt = receipt("handle\"", "id", 3, "{\"id\": 7}");
        let loans = Loan::of(&[Receipt(String::new()), receipt.clone(), receipt, Receipt("{\"handle\": 1}".into())]);
        let [loan] = &loans[..] else { panic!("{loans:?}") };
        assert_eq!((loan.handle.as_str(), loan.message_id.as_str()), ("handle\"", "id"));
        assert_eq!((loan.receive_count, loan.body.as_str()), (3, "{\"id\": 7}"));
    }
}
