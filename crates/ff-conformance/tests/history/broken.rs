//! A backend that passes every call on, and breaks one promise when calls overlap.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ff_conformance::reference::ReferenceFixture;
use ff_conformance::{Fixture, Store};
use ff_core::backend::{
    CapabilitySet, ClaimPolicy, FailOutcome, FailureClass, FailureReason, Handle, LeaseRenewal,
};
use ff_core::clock::ManualClock;
use ff_core::contracts::*;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{ContentionKind, EngineError, StateKind};
use ff_core::execution::Attempt;
use ff_core::partition::PartitionConfig;
use ff_core::state::PublicState;
use ff_core::types::{ExecutionId, LaneId, TimestampMs};
use tokio::task::yield_now;

type Answer<T> = Result<T, EngineError>;

/// The promise that is broken, when another call is made meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// None.
    Nothing,
    /// A creation is answered and not stored.
    ForgetsCreations,
    /// A batch whose answer is lost is stored in part.
    StoresHalfABatch,
    /// A lease that was just given is given again.
    GivesLeasesTwice,
    /// A claim takes a live lease from its worker.
    StealsLeases,
    /// A claim loses what it was given.
    LosesClaims,
    /// A renewal holds although the lease's time is up.
    RenewsExpired,
    /// A renewal holds although the lease was ended.
    RenewsStale,
    /// A completion holds although the lease was ended.
    CompletesStale,
    /// A live handle is refused.
    RefusesLiveHandles,
    /// A failure is answered as another ending of the same lease was.
    FailsWhatIsComplete,
    /// A revocation is answered and not done.
    ForgetsRevocations,
    /// A replay is answered and not done.
    ForgetsReplays,
    /// A cancellation is answered as done to what has completed.
    CancelsWhatIsComplete,
    /// A subscriber that goes on from its cursor misses an event.
    SkipsEvents,
    /// A subscriber that goes on from its cursor reads its last event again.
    RepeatsEvents,
}

impl Fault {
    pub(crate) const ALL: [Self; 15] = [
        Self::ForgetsCreations,
        Self::StoresHalfABatch,
        Self::GivesLeasesTwice,
        Self::StealsLeases,
        Self::LosesClaims,
        Self::RenewsExpired,
        Self::RenewsStale,
        Self::CompletesStale,
        Self::RefusesLiveHandles,
        Self::FailsWhatIsComplete,
        Self::ForgetsRevocations,
        Self::ForgetsReplays,
        Self::CancelsWhatIsComplete,
        Self::SkipsEvents,
        Self::RepeatsEvents,
    ];
}

/// Opens stores of the reference backend behind a broken one.
pub(crate) struct BrokenFixture(pub(crate) Fault);

struct BrokenStore {
    inner: Box<dyn Store>,
    backend: Arc<dyn EngineBackend>,
}

#[async_trait]
impl Fixture for BrokenFixture {
    async fn open(&self, clock: Arc<ManualClock>) -> Box<dyn Store> {
        let inner = ReferenceFixture.open(clock).await;
        let backend = Arc::new(BrokenBackend {
            inner: inner.backend(),
            fault: self.0,
            calls: AtomicU32::new(0),
            given: Mutex::default(),
        });
        Box::new(BrokenStore { inner, backend })
    }
}

#[async_trait]
impl Store for BrokenStore {
    fn backend(&self) -> Arc<dyn EngineBackend> {
        Arc::clone(&self.backend)
    }

    /// The same one, so that it sees every call.
    async fn reopen(&self) -> Arc<dyn EngineBackend> {
        let _ = &self.inner;
        Arc::clone(&self.backend)
    }
}

struct BrokenBackend {
    inner: Arc<dyn EngineBackend>,
    fault: Fault,
    /// Calls that are being made.
    calls: AtomicU32,
    /// The last lease that was given.
    given: Mutex<Option<Handle>>,
}

/// A call that is being made.
struct Under<'a>(&'a AtomicU32);

impl Drop for Under<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl BrokenBackend {
    /// Begins a call, and says whether the fault shows: others are being made.
    async fn begin(&self, fault: Fault) -> (bool, Under<'_>) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let under = Under(&self.calls);
        yield_now().await;
        (self.fault == fault && self.calls.load(Ordering::SeqCst) > 1, under)
    }

    /// Gives a lease that somebody holds to somebody else.
    async fn steal(&self, policy: &ClaimPolicy) -> Answer<Option<Handle>> {
        let Some(held) = self.given.lock().unwrap().take() else { return Ok(None) };
        let args = RevokeLeaseArgs {
            execution_id: held.execution_id().clone(),
            expected_lease_id: Some(held.lease_id()),
            worker_instance_id: held.worker_instance_id().clone(),
            reason: String::new(),
        };
        self.inner.revoke_lease(args).await?;
        let lane = LaneId::new("history");
        self.inner.claim(&lane, &CapabilitySet::default(), policy.clone()).await
    }
}

fn is_stale(error: &EngineError) -> bool {
    matches!(error, EngineError::Contention(ContentionKind::LeaseConflict))
}

#[async_trait]
impl EngineBackend for BrokenBackend {
    async fn create_execution(&self, args: CreateExecutionArgs) -> Answer<CreateExecutionResult> {
        let (shows, _under) = self.begin(Fault::ForgetsCreations).await;
        if shows {
            let (execution_id, public_state) = (args.execution_id, PublicState::Waiting);
            return Ok(CreateExecutionResult::Created { execution_id, public_state });
        }
        self.inner.create_execution(args).await
    }

    async fn create_executions(
        &self,
        mut batch: Vec<CreateExecutionArgs>,
    ) -> Answer<Vec<CreateExecutionResult>> {
        let (shows, _under) = self.begin(Fault::StoresHalfABatch).await;
        if !shows {
            return self.inner.create_executions(batch).await;
        }
        batch.truncate(1);
        self.inner.create_executions(batch).await?;
        Err(EngineError::Transport { backend: "reference", source: "cut".into() })
    }

    async fn claim(
        &self,
        lane: &LaneId,
        capabilities: &CapabilitySet,
        policy: ClaimPolicy,
    ) -> Answer<Option<Handle>> {
        let (shows, _under) = self.begin(self.fault).await;
        let claimed = self.inner.claim(lane, capabilities, policy.clone()).await?;
        match self.fault {
            Fault::LosesClaims if shows => return Ok(None),
            Fault::GivesLeasesTwice if shows && claimed.is_none() => {
                return Ok(self.given.lock().unwrap().take());
            }
            Fault::StealsLeases if shows && claimed.is_none() => return self.steal(&policy).await,
            _ => {}
        }
        if claimed.is_some() {
            self.given.lock().unwrap().clone_from(&claimed);
        }
        Ok(claimed)
    }

    async fn renew(&self, handle: &Handle) -> Answer<LeaseRenewal> {
        let (shows, _under) = self.begin(self.fault).await;
        if shows && self.fault == Fault::RefusesLiveHandles {
            return Err(EngineError::Contention(ContentionKind::LeaseConflict));
        }
        let answer = self.inner.renew(handle).await;
        let forgives = shows
            && answer.as_ref().is_err_and(|error| match self.fault {
                Fault::RenewsStale => is_stale(error),
                Fault::RenewsExpired => {
                    matches!(error, EngineError::State(StateKind::LeaseExpired))
                }
                _ => false,
            });
        if !forgives {
            return answer;
        }
        let now = self.inner.now().await?;
        Ok(LeaseRenewal {
            expires_at: now.saturating_add_millis(u64::from(handle.lease_ttl_ms())),
            lease_epoch: handle.lease_epoch(),
        })
    }

    async fn complete(&self, handle: &Handle, result: Option<Vec<u8>>) -> Answer<()> {
        let (shows, _under) = self.begin(Fault::CompletesStale).await;
        match self.inner.complete(handle, result).await {
            Err(error) if shows && is_stale(&error) => Ok(()),
            answer => answer,
        }
    }

    async fn fail(
        &self,
        handle: &Handle,
        reason: FailureReason,
        class: FailureClass,
    ) -> Answer<FailOutcome> {
        let (shows, _under) = self.begin(Fault::FailsWhatIsComplete).await;
        match self.inner.fail(handle, reason, class).await {
            Err(EngineError::State(StateKind::AttemptAlreadyTerminal)) if shows => {
                Ok(FailOutcome::TerminalFailed)
            }
            answer => answer,
        }
    }

    async fn delay(&self, handle: &Handle, until: TimestampMs) -> Answer<()> {
        let _under = self.begin(Fault::Nothing).await;
        self.inner.delay(handle, until).await
    }

    async fn revoke_lease(&self, args: RevokeLeaseArgs) -> Answer<RevokeLeaseResult> {
        let (shows, _under) = self.begin(Fault::ForgetsRevocations).await;
        let given = self.given.lock().unwrap().clone();
        if let Some(given) = given.filter(|_| shows) {
            let (lease_id, lease_epoch) = (given.lease_id(), given.lease_epoch());
            return Ok(RevokeLeaseResult::Revoked { lease_id, lease_epoch });
        }
        self.inner.revoke_lease(args).await
    }

    async fn cancel_execution(&self, args: CancelExecutionArgs) -> Answer<CancelExecutionResult> {
        let (shows, _under) = self.begin(Fault::CancelsWhatIsComplete).await;
        let (execution_id, public_state) = (args.execution_id.clone(), PublicState::Cancelled);
        match self.inner.cancel_execution(args).await {
            Err(EngineError::Contention(_)) if shows => {
                Ok(CancelExecutionResult::Cancelled { execution_id, public_state })
            }
            answer => answer,
        }
    }

    async fn replay_execution(&self, args: ReplayExecutionArgs) -> Answer<ReplayExecutionResult> {
        let (shows, _under) = self.begin(Fault::ForgetsReplays).await;
        if shows {
            return Ok(ReplayExecutionResult::Replayed { public_state: PublicState::Waiting });
        }
        self.inner.replay_execution(args).await
    }

    async fn reconcile(&self, task: ReconcileTask, limit: u32) -> Answer<ScanReport> {
        let _under = self.begin(Fault::Nothing).await;
        self.inner.reconcile(task, limit).await
    }

    async fn read_events(
        &self,
        stream: EventStream,
        after: Option<EventCursor>,
        limit: u32,
    ) -> Answer<Vec<RecordedEvent>> {
        let (shows, _under) = self.begin(self.fault).await;
        let resumed = after.filter(|after| shows && after.event_id() > 0);
        match (self.fault, resumed) {
            (Fault::SkipsEvents, Some(_)) => {
                let mut events = self.inner.read_events(stream, after, limit + 1).await?;
                if events.len() > 1 {
                    events.remove(0);
                }
                events.truncate(limit as usize);
                Ok(events)
            }
            (Fault::RepeatsEvents, Some(after)) => {
                let before = EventCursor::new(0, after.event_id() - 1);
                self.inner.read_events(stream, Some(before), limit).await
            }
            _ => self.inner.read_events(stream, after, limit).await,
        }
    }

    async fn read_execution_context(&self, id: &ExecutionId) -> Answer<ExecutionContext> {
        self.inner.read_execution_context(id).await
    }

    async fn list_attempts(&self, id: &ExecutionId) -> Answer<Vec<Attempt>> {
        self.inner.list_attempts(id).await
    }

    async fn read_outcomes(&self, ids: &[ExecutionId]) -> Answer<Vec<Option<ExecutionOutcome>>> {
        self.inner.read_outcomes(ids).await
    }

    async fn list_executions(
        &self,
        filter: &ExecutionFilter,
        after: Option<ExecutionsCursor>,
        limit: u32,
    ) -> Answer<ExecutionPage> {
        self.inner.list_executions(filter, after, limit).await
    }

    async fn count_executions(&self, filter: &ExecutionFilter) -> Answer<Vec<ExecutionCount>> {
        self.inner.count_executions(filter).await
    }

    async fn now(&self) -> Answer<TimestampMs> {
        self.inner.now().await
    }

    fn partition_config(&self) -> PartitionConfig {
        self.inner.partition_config()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn backend_label(&self) -> &'static str {
        self.inner.backend_label()
    }
}
