//! Histories written by hand.

use ff_core::backend::{FailureClass, Handle, HandleKind, HandleLease};
use ff_core::contracts::{EventCursor, EventStream, ReconcileTask};
use ff_core::execution::{Attempt, AttemptError, Execution, ExecutionKey};
use ff_core::state::{AttemptOutcome, LifecyclePhase, PublicState};
use ff_core::types::{
    AttemptIndex, ExecutionId, LaneId, LeaseEpoch, Namespace, TimestampMs, WorkerInstanceId,
};
use uuid::Uuid;

use crate::history::{
    Answer, Call, Counts, Created, Creation, Entry, Kept, KeptExecution, Property, Refusal,
    SeenEvent, Violation, What, check,
};

pub(super) const TTL_MS: u32 = 50;
pub(super) const CONFLICT: Answer = Answer::Refused(Refusal::LeaseConflict);

pub(super) fn id(number: u128) -> ExecutionId {
    ExecutionId::from_parts(0, Uuid::from_u128(number))
}

/// The lease that a process was given on an attempt at execution 1.
pub(super) fn handle(attempt: u32, instance: &str) -> Handle {
    let lease = HandleLease {
        attempt_index: AttemptIndex::new(attempt),
        lease_epoch: LeaseEpoch::new(1),
        worker_instance_id: WorkerInstanceId::new(instance),
        lease_ttl_ms: TTL_MS,
        kind: HandleKind::Fresh,
    };
    Handle::mint("reference", id(1), lease)
}

/// A log, and what is kept in the end of executions that are numbered from 1.
#[derive(Default)]
pub(super) struct Script {
    pub(super) entries: Vec<Entry>,
    pub(super) kept: Kept,
    calls: u64,
}

/// A call that was not answered yet.
pub(super) struct Open(String, u64);

impl Script {
    /// Execution 1 was created, and finishes as this.
    pub(super) fn of_one(state: PublicState) -> Self {
        let mut script = Self::default();
        script.create(1).keep(1, state);
        script
    }

    /// Execution 1 was created, claimed by `a` at 0 and completed with `r` at 10.
    pub(super) fn of_completed() -> Self {
        let mut script = Self::of_one(PublicState::Completed);
        script.claim("a", 0).complete("a", 0, "r");
        script.attempt("a", Some(AttemptOutcome::Success), [0, 10]);
        script.events(EventStream::Lease, &["acquired"]);
        script.events(EventStream::Completion, &["success"]);
        script
    }

    // ---- calls -----------------------------------------------------------------------------

    pub(super) fn begin(&mut self, client: &str, call: Call) -> Open {
        self.calls += 1;
        let (client, number) = (client.to_owned(), self.calls);
        self.entries.push(Entry { client: client.clone(), number, what: What::Called(call) });
        Open(client, number)
    }

    pub(super) fn end(&mut self, Open(client, number): Open, answer: Answer) -> &mut Self {
        self.entries.push(Entry { client, number, what: What::Answered(answer) });
        self
    }

    /// A call that is over before the next begins.
    pub(super) fn call(&mut self, client: &str, call: Call, answer: Answer) -> &mut Self {
        let open = self.begin(client, call);
        self.end(open, answer)
    }

    pub(super) fn create(&mut self, number: u128) -> &mut Self {
        self.call("creator", create(number, None), Answer::Created(vec![Created::New]))
    }

    pub(super) fn claim(&mut self, instance: &str, attempt: u32) -> &mut Self {
        let answer = Answer::Claimed(vec![handle(attempt, instance)]);
        self.call(instance, claim(instance), answer)
    }

    pub(super) fn renew(&mut self, instance: &str, attempt: u32, until: i64) -> &mut Self {
        let answer = Answer::Renewed(TimestampMs(until));
        self.call(instance, Call::Renew(handle(attempt, instance)), answer)
    }

    pub(super) fn complete(&mut self, instance: &str, attempt: u32, result: &str) -> &mut Self {
        self.call(instance, complete(attempt, instance, result), Answer::Done)
    }

    pub(super) fn delay(&mut self, instance: &str, attempt: u32) -> &mut Self {
        self.call(instance, delay(attempt, instance), Answer::Done)
    }

    pub(super) fn cancel(&mut self) -> &mut Self {
        self.call("operator", cancel(), Answer::Done)
    }

    pub(super) fn replay(&mut self) -> &mut Self {
        self.call("operator", Call::Replay(id(1)), Answer::Done)
    }

    pub(super) fn revoke(&mut self, instance: &str, attempt: u32) -> &mut Self {
        let answer = Answer::Revoked(handle(attempt, instance).lease_id());
        self.call("operator", revoke(instance), answer)
    }

    pub(super) fn sweep(&mut self, processed: u32) -> &mut Self {
        let call = Call::Reconcile(ReconcileTask::ExpireLeases);
        self.call("sweeper", call, Answer::Swept(processed))
    }

    // ---- what is kept ----------------------------------------------------------------------

    pub(super) fn keep(&mut self, number: u128, state: PublicState) -> &mut Self {
        let mut execution = Execution::submitted(ExecutionKey {
            execution_id: id(number),
            lane_id: LaneId::new("history"),
            namespace: Namespace::new("default"),
            created_at: TimestampMs(0),
        });
        execution.public_state = state;
        if state.is_finished() {
            execution.lifecycle_phase = LifecyclePhase::Terminal;
        }
        let kept = KeptExecution { execution, attempts: Vec::new(), result: None };
        self.kept.executions.push(kept);
        self
    }

    pub(super) fn one(&mut self) -> &mut KeptExecution {
        &mut self.kept.executions[0]
    }

    /// The next attempt at execution 1, with its first lease.
    pub(super) fn attempt(
        &mut self,
        instance: &str,
        outcome: Option<AttemptOutcome>,
        [from, until]: [i64; 2],
    ) -> &mut Self {
        let kept = self.one();
        let mut attempt =
            Attempt::unclaimed(AttemptIndex::new(u32::try_from(kept.attempts.len()).unwrap()));
        attempt.worker_instance_id = Some(WorkerInstanceId::new(instance));
        attempt.lease_epoch = LeaseEpoch::new(1);
        attempt.started_at = Some(TimestampMs(from));
        attempt.terminal_at = outcome.map(|_| TimestampMs(until));
        attempt.outcome = outcome;
        kept.execution.attempt_index = attempt.attempt_index;
        kept.attempts.push(attempt);
        if outcome == Some(AttemptOutcome::Success) {
            kept.result = Some(b"r".to_vec());
        }
        self
    }

    /// As [`attempt`](Self::attempt), ended by a sweep.
    pub(super) fn expired(&mut self, instance: &str, times: [i64; 2]) -> &mut Self {
        self.attempt(instance, Some(AttemptOutcome::Interrupted), times);
        let error = AttemptError::new(FailureClass::InfraCrash, "");
        self.one().attempts.last_mut().unwrap().error = Some(error);
        self
    }

    /// The events of execution 1 in a stream.
    pub(super) fn events(&mut self, stream: EventStream, names: &[&str]) -> &mut Self {
        let event = |(index, name): (usize, &&str)| event(u64::try_from(index).unwrap() + 1, name);
        self.kept.streams.insert(stream, names.iter().enumerate().map(event).collect());
        self
    }

    // ---- then ------------------------------------------------------------------------------

    pub(super) fn check(&self) -> Result<Counts, Violation> {
        check(&self.entries, &self.kept)
    }

    #[track_caller]
    pub(super) fn assert_sound(&self) {
        if let Err(violation) = self.check() {
            panic!("{violation}");
        }
    }

    #[track_caller]
    pub(super) fn assert_broken(&self, property: Property, problem: &str) -> Violation {
        let violation = self.check().unwrap_err();
        assert_eq!(violation.property, property, "{violation}");
        assert!(violation.problem.contains(problem), "{violation}");
        violation
    }
}

pub(super) fn event(cursor: u64, name: &str) -> SeenEvent {
    SeenEvent {
        cursor: EventCursor::new(0, cursor),
        execution_id: id(1),
        name: name.to_owned(),
        occurred_at: TimestampMs(0),
    }
}

pub(super) fn create(number: u128, key: Option<&str>) -> Call {
    Call::Create(vec![Creation { execution_id: id(number), key: key.map(str::to_owned) }])
}

pub(super) fn claim(instance: &str) -> Call {
    Call::Claim { instance: WorkerInstanceId::new(instance), max: 1 }
}

pub(super) fn complete(attempt: u32, instance: &str, result: &str) -> Call {
    Call::Complete { handle: handle(attempt, instance), result: result.to_owned() }
}

pub(super) fn fail(attempt: u32, instance: &str, class: FailureClass) -> Call {
    Call::Fail { handle: handle(attempt, instance), reason: "boom".to_owned(), class }
}

pub(super) fn delay(attempt: u32, instance: &str) -> Call {
    Call::Delay { handle: handle(attempt, instance), until: TimestampMs(0) }
}

pub(super) fn cancel() -> Call {
    Call::Cancel { execution_id: id(1), fence: None }
}

pub(super) fn revoke(instance: &str) -> Call {
    let (execution_id, instance) = (id(1), WorkerInstanceId::new(instance));
    Call::Revoke { execution_id, instance, lease_id: None }
}

pub(super) fn lost() -> Answer {
    Answer::Unknown("the connection was cut".to_owned())
}
