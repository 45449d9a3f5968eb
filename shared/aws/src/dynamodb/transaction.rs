//! Transactions: up to a hundred writes that are all made or none.
//!
//! What may happen between any two lines:
//! * The process exits before the request is sent: nothing is written.
//! * It exits after the request, or the answer is lost: the transaction may be committed. The caller's next attempt with
//!   the same token changes nothing in that case, for the ten minutes that DynamoDB remembers a token. A caller that may
//!   come later needs a condition that recognises its own write.
//! * Another transaction changes the same items: DynamoDB cancels one of them, which is sent again with the same token
//!   after a random wait.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};

use super::Dynamo;
use super::attributes::Item;
use super::backoff::Backoff;
use super::error::{DynamoError, context, explain, is_passing};

/// The most writes of a transaction.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
pub const MOST_ACTIONS: usize = 100;

/// The longest token.
const LONGEST_TOKEN: usize = 36;

/// How long attempts may be made with one token. DynamoDB remembers it for ten minutes after the first one has ended.
const LONGEST_PERIOD: Duration = Duration::from_secs(9 * 60);

/// The outcome of a transaction.
#[derive(Debug, PartialEq)]
pub enum Transacted {
    /// All writes are made, now or by an earlier call with the same token.
    Committed,
    /// At least one condition does not hold. Nothing is written. Lists every write that prevented the transaction.
    Refused(Vec<FailedAction>),
}

/// A write that prevented its transaction.
#[derive(Debug, PartialEq)]
pub struct FailedAction {
    /// Its index in the transaction.
    pub action: usize,
    /// Why.
    pub reason: ActionFailure,
}

/// Why a write prevented its transaction.
#[derive(Debug, PartialEq)]
pub enum ActionFailure {
    /// Its condition does not hold. Carries the stored item if the write asks for it (`ALL_OLD`) and there is one.
    Condition(Option<Item>),
    /// Another transaction was changing the item.
    Conflict,
    /// Too many requests for the table or the partition.
    Throttled,
    /// The request can never succeed: what DynamoDB said.
    Invalid(String),
}

impl FailedAction {
    fn of((action, reason): (usize, &CancellationReason)) -> Option<FailedAction> {
        let reason = match reason.code().unwrap_or_default() {
            "" | "None" => return None,
            "ConditionalCheckFailed" => ActionFailure::Condition(reason.item.clone()),
            "TransactionConflict" => ActionFailure::Conflict,
            "ProvisionedThroughputExceeded" | "ThrottlingError" | "RequestLimitExceeded" => ActionFailure::Throttled,
            code => ActionFailure::Invalid(format!("{code}: {}", reason.message().unwrap_or("no reason given"))),
        };
        Some(FailedAction { action, reason })
    }
}

/// What follows from one attempt that was not committed.
enum Attempt {
    Refused(Vec<FailedAction>),
    Failed(DynamoError),
    /// The error if no time is left for another attempt.
    Again(DynamoError),
}

impl Dynamo {
    /// Makes all writes or none. Conflicts, throttling and lost answers are tried again until `within` has passed (at
    /// most nine minutes), always with one token, so that the writes are made once.
    ///
    /// `token` makes a later call with the same writes idempotent, for ten minutes; without one, only the attempts of
    /// this call are. After an error it is not known whether the writes were made.
    pub async fn transact(
        &self,
        actions: &[TransactWriteItem],
        token: Option<&str>,
        within: Duration,
    ) -> Result<Transacted, DynamoError> {
        let tables = tables(actions);
        check(actions, token).map_err(|reason| DynamoError::Invalid { context: context(WRITE, &tables), reason })?;
        let token = match token {
            Some(token) => token.to_owned(),
            None => random_token(&tables)?,
        };
        let mut backoff = Backoff::new(&self.clock, within.min(LONGEST_PERIOD));
        loop {
            let request = self.patient.transact_write_items().set_transact_items(Some(actions.to_vec()));
            let Err(error) = request.client_request_token(&token).send().await else {
                return Ok(Transacted::Committed);
            };
            match judge(&tables, error) {
                Attempt::Refused(failed) => return Ok(Transacted::Refused(failed)),
                Attempt::Failed(error) => return Err(error),
                Attempt::Again(error) if !backoff.pause().await => return Err(error),
                Attempt::Again(_) => {}
            }
        }
    }
}

/// The action of the errors.
const WRITE: &str = "write to";

fn check(actions: &[TransactWriteItem], token: Option<&str>) -> Result<(), String> {
    if actions.is_empty() || actions.len() > MOST_ACTIONS {
        return Err(format!("a transaction has 1 to {MOST_ACTIONS} writes, not {}", actions.len()));
    }
    match token.map(str::len) {
        Some(0) => Err("the token is empty".to_owned()),
        Some(length) if length > LONGEST_TOKEN => {
            Err(format!("a token of {length} bytes: {LONGEST_TOKEN} are allowed"))
        }
        _ => Ok(()),
    }
}

fn random_token(tables: &str) -> Result<String, DynamoError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| DynamoError::Backend {
        context: context(WRITE, tables),
        reason: format!("the system has no random bytes: {error}"),
    })?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

/// Decides what follows from an error. A condition that does not hold is final, even if other writes had a conflict: it
/// was compared with committed items.
fn judge(tables: &str, error: SdkError<TransactWriteItemsError>) -> Attempt {
    let is_passing = is_passing(&error);
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        let error = explain(WRITE, tables, error);
        return if is_passing { Attempt::Again(error) } else { Attempt::Failed(error) };
    };
    let failed: Vec<_> = cancelled.cancellation_reasons().iter().enumerate().filter_map(FailedAction::of).collect();
    if failed.iter().any(|failed| matches!(failed.reason, ActionFailure::Condition(_))) {
        return Attempt::Refused(failed);
    }
    let context = context(WRITE, tables);
    let invalid = failed.iter().find_map(|failed| match &failed.reason {
        ActionFailure::Invalid(reason) => Some(format!("write {}: {reason}", failed.action + 1)),
        _ => None,
    });
    if let Some(reason) = invalid {
        return Attempt::Failed(DynamoError::Invalid { context, reason });
    }
    if failed.iter().any(|failed| failed.reason == ActionFailure::Conflict) {
        return Attempt::Again(DynamoError::Contended { context });
    }
    if failed.is_empty() {
        return Attempt::Failed(explain(WRITE, tables, error));
    }
    let reason = "the transaction was cancelled for too many requests".to_owned();
    Attempt::Again(DynamoError::Throttled { context, reason })
}

/// Returns the names of the tables that a transaction writes to.
fn tables(actions: &[TransactWriteItem]) -> String {
    let table = |action: &TransactWriteItem| {
        let put = action.put.as_ref().map(|put| put.table_name.clone());
        let update = || action.update.as_ref().map(|update| update.table_name.clone());
        let delete = || action.delete.as_ref().map(|delete| delete.table_name.clone());
        let check = || action.condition_check.as_ref().map(|check| check.table_name.clone());
        put.or_else(update).or_else(delete).or_else(check)
    };
    let names: BTreeSet<String> = actions.iter().filter_map(table).collect();
    names.into_iter().collect::<Vec<_>>().join("', '")
}
