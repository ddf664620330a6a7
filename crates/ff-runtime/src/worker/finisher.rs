//! Ends leases: everything that has queued up in one call.

use std::sync::Arc;
use std::time::Duration;

use ff_core::backend::{FailureClass, FailureReason, Handle};
use ff_core::contracts::{Completion, Failure};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{EngineError, ValidationKind};
use futures::future::join_all;
use futures::stream::{self, StreamExt};
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::Settings;
use super::acknowledge::acknowledge_cancellation;
use super::leases::Lease;
use crate::backoff::Backoff;
use crate::clock::{millis, monotonic, store_now, within};
use crate::handler::HandlerError;

const BATCH: usize = 512;
/// Leases given back or let go at the same time; there is no batch form.
const AT_ONCE: usize = 16;
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_CAP: Duration = Duration::from_secs(1);
/// Bytes of a failure's message that are stored.
const MESSAGE_MAX: usize = 64 * 1024;
/// Bytes of it that are stored when even that is more than the backend accepts.
const SHORT_MESSAGE_MAX: usize = 256;

/// A lease to end, and how.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) lease: Lease,
    pub(super) ending: Ending,
}

impl Finished {
    fn has_lost_its_lease(&self) -> bool {
        self.lease.lost().is_cancelled()
    }
}

#[derive(Debug)]
pub(super) enum Ending {
    /// The handler returned this.
    Complete(Option<Vec<u8>>),
    /// The handler failed.
    Fail { class: FailureClass, message: String },
    /// Another worker may have it after this time.
    GiveBack(Duration),
    /// It has ended by itself; its flow may wait to hear that nobody works under it any more.
    LetGo,
}

impl Ending {
    fn word(&self) -> &'static str {
        match self {
            Self::Complete(_) => "complete",
            Self::Fail { .. } => "fail",
            Self::GiveBack(_) => "give_back",
            Self::LetGo => "let_go",
        }
    }
}

impl From<HandlerError> for Ending {
    fn from(error: HandlerError) -> Self {
        let message = truncated(error.message(), MESSAGE_MAX).to_owned();
        Self::Fail { class: error.class(), message }
    }
}

/// Ends the leases that jobs hand over. What may be repeated is repeated until it works or the lease is
/// lost: the first answer stands, however often it is asked for.
pub(super) struct Finisher {
    backend: Arc<dyn EngineBackend>,
    /// How long one call may take.
    patience: Duration,
    backoff: Backoff,
}

impl Finisher {
    pub(super) fn new(backend: Arc<dyn EngineBackend>, settings: &Settings) -> Self {
        let backoff = Backoff::new(RETRY_FIRST, RETRY_CAP, ("finisher", &settings.instance_id));
        Self { backend, patience: settings.lease_ttl, backoff }
    }

    /// Works until `close` has fired and everything that was handed over until then has its end.
    pub(super) async fn run(
        mut self,
        mut queue: mpsc::Receiver<Finished>,
        close: CancellationToken,
    ) {
        let mut again = Vec::new();
        let mut retry_at = monotonic();
        let (mut closing, mut drained) = (false, false);
        loop {
            let mut batch = Vec::new();
            tokio::select! {
                biased;
                () = close.cancelled(), if !closing => {
                    closing = true;
                    queue.close();
                }
                () = sleep_until(retry_at), if !again.is_empty() => batch.append(&mut again),
                received = queue.recv_many(&mut batch, BATCH), if !drained => drained = received == 0,
                else => return,
            }
            if batch.is_empty() {
                continue;
            }
            let mut failed = self.flush(batch).await;
            if closing {
                // For a worker that has signed off the store lets go by itself.
                failed.retain(|item| !matches!(item.ending, Ending::LetGo));
            }
            if failed.is_empty() {
                self.backoff.reset();
            } else {
                retry_at = monotonic() + self.backoff.next();
                again.extend(failed);
            }
        }
    }

    /// Returns what is to be tried again.
    async fn flush(&self, batch: Vec<Finished>) -> Vec<Finished> {
        let (lost, held): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(Finished::has_lost_its_lease);
        let (mut completions, mut failures, mut give_backs) = (Vec::new(), Vec::new(), Vec::new());
        for item in held {
            match &item.ending {
                Ending::Complete(_) => completions.push(item),
                Ending::Fail { .. } => failures.push(item),
                Ending::GiveBack(_) | Ending::LetGo => give_backs.push(item),
            }
        }
        let (completed, failed, given_back, kept) = tokio::join!(
            self.complete(completions),
            self.fail(failures),
            self.give_back(give_backs),
            self.let_go_of_all(lost),
        );
        let answered = completed.into_iter().chain(failed).chain(given_back);
        let again = join_all(answered.map(|(item, answer)| self.settle(item, answer))).await;
        again.into_iter().flatten().chain(kept).collect()
    }

    async fn complete(&self, items: Vec<Finished>) -> Answers {
        if items.is_empty() {
            return Vec::new();
        }
        let batch = items.iter().filter_map(completion).collect();
        let call = self.backend.complete_batch(batch);
        match within(self.patience, "complete_batch", call).await {
            Ok(answers) => items.into_iter().zip(answers).collect(),
            Err(error) if error.is_retryable() => unanswered(items, &error),
            // One item that the backend refuses must not take the others with it.
            Err(_) => join_all(items.into_iter().map(|item| self.end_alone(item))).await,
        }
    }

    async fn fail(&self, items: Vec<Finished>) -> Answers {
        if items.is_empty() {
            return Vec::new();
        }
        let batch = items.iter().filter_map(failure).collect();
        let call = self.backend.fail_batch(batch);
        match within(self.patience, "fail_batch", call).await {
            Ok(answers) => {
                let answers = answers.into_iter().map(|answer| answer.map(drop));
                items.into_iter().zip(answers).collect()
            }
            Err(error) if error.is_retryable() => unanswered(items, &error),
            Err(_) => join_all(items.into_iter().map(|item| self.end_alone(item))).await,
        }
    }

    async fn give_back(&self, items: Vec<Finished>) -> Answers {
        stream::iter(items.into_iter().map(|item| self.end_alone(item)))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await
    }

    /// Returns what is to be tried again.
    async fn let_go_of_all(&self, items: Vec<Finished>) -> Vec<Finished> {
        let again = stream::iter(items.into_iter().map(|item| self.let_go(item)));
        again.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await
    }

    async fn let_go(&self, item: Finished) -> Option<Finished> {
        let execution_id = item.lease.handle().execution_id();
        if !matches!(item.ending, Ending::LetGo) {
            info!(%execution_id, ending = item.ending.word(), "the lease is lost");
        }
        let error = acknowledge_cancellation(&*self.backend, execution_id).await.err()?;
        if error.is_retryable() {
            debug!(%execution_id, %error, "the cancellation was not acknowledged; it is tried again");
            item.lease.lost().cancel();
            return Some(Finished { ending: Ending::LetGo, ..item });
        }
        warn!(%execution_id, %error, "the cancellation cannot be acknowledged; its flow waits on");
        None
    }

    async fn end_alone(&self, item: Finished) -> (Finished, Result<(), EngineError>) {
        let call = self.end(item.lease.handle(), &item.ending);
        let answer = within(self.patience, item.ending.word(), call).await;
        (item, answer)
    }

    async fn end(&self, handle: &Handle, ending: &Ending) -> Result<(), EngineError> {
        match ending {
            Ending::Complete(result) => self.backend.complete(handle, result.clone()).await,
            Ending::Fail { class, message } => {
                let reason = FailureReason::new(message.clone());
                self.backend.fail(handle, reason, *class).await.map(drop)
            }
            Ending::GiveBack(wait) => {
                let now = store_now(&*self.backend).await?;
                self.backend.delay(handle, now.saturating_add_millis(millis(*wait))).await
            }
            Ending::LetGo => Ok(()),
        }
    }

    /// Returns the item if it is to be tried again, changed if it cannot end as it was meant to.
    async fn settle(&self, item: Finished, answer: Result<(), EngineError>) -> Option<Finished> {
        let Err(error) = answer else { return None };
        let execution_id = item.lease.handle().execution_id();
        let ending = item.ending.word();
        if error.is_lease_lost() {
            info!(%execution_id, ending, %error, "the lease is lost");
            return self.let_go(Finished { ending: Ending::LetGo, ..item }).await;
        }
        if error.is_retryable() {
            debug!(%execution_id, ending, %error, "the execution was not ended; it is tried again");
            return Some(item);
        }
        let Some(ending) = instead(&item.ending, &error) else {
            error!(%execution_id, ending, %error, "the execution cannot be ended; its lease runs out");
            return None;
        };
        Some(Finished { ending, ..item })
    }
}

type Answers = Vec<(Finished, Result<(), EngineError>)>;

fn completion(item: &Finished) -> Option<Completion> {
    let Ending::Complete(result) = &item.ending else { return None };
    Some(Completion { handle: item.lease.handle().clone(), result: result.clone() })
}

fn failure(item: &Finished) -> Option<Failure> {
    let Ending::Fail { class, message } = &item.ending else { return None };
    let reason = FailureReason::new(message.clone());
    Some(Failure { handle: item.lease.handle().clone(), reason, class: *class })
}

/// The same items, each with an error that may be repeated.
fn unanswered(items: Vec<Finished>, error: &EngineError) -> Answers {
    debug!(items = items.len(), %error, "a batch of executions was not ended");
    let busy = || EngineError::Contention(ff_core::engine_error::ContentionKind::StoreBusy);
    items.into_iter().map(|item| (item, Err(busy()))).collect()
}

/// How an execution ends that cannot end as it was meant to; `None` when nothing is left to try.
fn instead(ending: &Ending, error: &EngineError) -> Option<Ending> {
    let EngineError::Validation { kind, .. } = error else { return None };
    match (ending, kind) {
        (Ending::Complete(_), ValidationKind::PayloadTooLarge | ValidationKind::InvalidInput) => {
            Some(Ending::from(HandlerError::permanent(format!(
                "what the handler returned cannot be stored: {error}"
            ))))
        }
        (Ending::Fail { class, message }, ValidationKind::PayloadTooLarge)
            if message.len() > SHORT_MESSAGE_MAX =>
        {
            let message = truncated(message, SHORT_MESSAGE_MAX).to_owned();
            Some(Ending::Fail { class: *class, message })
        }
        _ => None,
    }
}

fn truncated(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(kind: ValidationKind) -> EngineError {
        EngineError::Validation { kind, detail: "too much".to_owned() }
    }

    #[test]
    fn a_result_that_is_refused_becomes_a_permanent_failure() {
        for kind in [ValidationKind::PayloadTooLarge, ValidationKind::InvalidInput] {
            let ending = instead(&Ending::Complete(None), &refusal(kind));
            let Some(Ending::Fail { class, message }) = ending else { panic!("{ending:?}") };
            assert_eq!(class, FailureClass::Permanent);
            assert!(message.ends_with("too much"), "{message}");
        }
    }

    #[test]
    fn a_message_that_is_refused_is_cut_once() {
        let fail =
            |length| Ending::Fail { class: FailureClass::Timeout, message: "x".repeat(length) };
        let error = refusal(ValidationKind::PayloadTooLarge);
        let Some(short) = instead(&fail(1_000), &error) else { panic!("it should be cut") };
        let Ending::Fail { class, message } = &short else { panic!("{short:?}") };
        assert_eq!((*class, message.len()), (FailureClass::Timeout, SHORT_MESSAGE_MAX));
        assert!(instead(&short, &error).is_none());
    }

    #[test]
    fn nothing_is_left_to_try_where_the_store_is_wrong() {
        let wrong = [
            refusal(ValidationKind::Corruption),
            refusal(ValidationKind::HandleFromOtherBackend),
            EngineError::Unavailable { op: "delay" },
        ];
        for error in &wrong {
            assert!(instead(&Ending::Complete(None), error).is_none(), "{error}");
            assert!(instead(&Ending::GiveBack(Duration::ZERO), error).is_none(), "{error}");
        }
    }
}
