//! One execution as a register that its calls write: who holds it, and how each lease ended.
//!
//! It says of a call and its answer whether they may happen next. Time is not part of it: a handle may be
//! refused as expired at any moment, and which sweep ended a lease is read from what is kept.

use std::collections::BTreeMap;

use ff_core::backend::{FailureClass, Handle};
use ff_core::state::{AttemptOutcome, PublicState};
use ff_core::types::LeaseId;
use stateright::semantics::SequentialSpec;

use super::record::{Answer, Call, Refusal};

/// Something that happens to one execution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step<'a> {
    /// It is created.
    Create,
    /// A creation finds it there.
    Exists,
    /// It is given to a worker.
    Claim(Lease<'a>),
    /// Any other call. An answer that was lost is told by how the handle's attempt is kept.
    Call(&'a Call, Option<AttemptOutcome>),
    /// A sweep ends its attempt: because its lease's time, or its deadline, has passed.
    Sweep { attempt: u32, is_deadline: bool },
}

/// What the caller was told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Told<'a> {
    /// That it was done.
    Done,
    /// This.
    Answer(&'a Answer),
    /// Nothing.
    Nothing,
}

/// A lease of the execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease<'a> {
    pub(super) attempt: u32,
    pub(super) epoch: u64,
    pub(super) instance: &'a str,
    pub(super) id: LeaseId,
}

impl<'a> From<&'a Handle> for Lease<'a> {
    fn from(handle: &'a Handle) -> Self {
        Self {
            attempt: handle.attempt_index().0,
            epoch: handle.lease_epoch().0,
            instance: handle.worker_instance_id().as_str(),
            id: handle.lease_id(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase<'a> {
    /// Anything: the history begins in the middle.
    Any,
    Absent,
    Waiting,
    Held(Lease<'a>),
    Finished(PublicState),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending<'a> {
    /// By this call of its holder. A failure is final or not.
    Holder(&'a Call, bool),
    /// Its time was up.
    Time,
    /// Its execution's deadline passed.
    Deadline,
    /// It was revoked or cancelled.
    Operator,
}

/// The register.
#[derive(Clone, Debug)]
pub(super) struct Register<'a> {
    phase: Phase<'a>,
    /// The present attempt, or the next one.
    attempt: u32,
    /// Attempts before this one are not known.
    known_from: u32,
    endings: BTreeMap<u32, Ending<'a>>,
    result: Option<&'a str>,
    /// What was assumed of a call without answer cannot have happened.
    is_refuted: bool,
}

impl<'a> SequentialSpec for Register<'a> {
    type Op = Step<'a>;
    type Ret = Told<'a>;

    /// A call whose answer nobody was given: it has happened here, or else not at all.
    fn invoke(&mut self, step: &Step<'a>) -> Told<'a> {
        self.is_refuted |= !self.take(*step, Told::Nothing);
        Told::Nothing
    }

    fn is_valid_step(&mut self, step: &Step<'a>, told: &Told<'a>) -> bool {
        !self.is_refuted && self.take(*step, *told)
    }
}

impl<'a> Register<'a> {
    /// An execution that nobody has created.
    pub(super) fn absent() -> Self {
        Self::in_phase(Phase::Absent, 0)
    }

    /// An execution of which nothing is known before its next claim.
    pub(super) fn any() -> Self {
        Self::in_phase(Phase::Any, u32::MAX)
    }

    fn in_phase(phase: Phase<'a>, known_from: u32) -> Self {
        let (endings, result, is_refuted) = (BTreeMap::new(), None, false);
        Self { phase, attempt: 0, known_from, endings, result, is_refuted }
    }

    /// Whether the step may come next with this answer. If so, it has.
    fn take(&mut self, step: Step<'a>, told: Told<'a>) -> bool {
        match (step, told) {
            (Step::Create, _) => {
                let was_absent = matches!(self.phase, Phase::Absent | Phase::Any);
                self.phase = Phase::Waiting;
                was_absent
            }
            (Step::Exists, _) => self.phase != Phase::Absent,
            (Step::Claim(lease), _) => self.claim(lease),
            (Step::Sweep { attempt, is_deadline }, _) => self.sweep(attempt, is_deadline),
            (Step::Call(call, _), Told::Answer(answer)) if !answer.is_success() => {
                self.may_refuse(call, answer)
            }
            (Step::Call(call, kept), told) => match call.handle() {
                Some(handle) => self.by_handle(call, handle.into(), is_final(kept, told)),
                None => self.by_operator(call, told),
            },
        }
    }

    fn claim(&mut self, lease: Lease<'a>) -> bool {
        match self.phase {
            Phase::Any => (self.known_from, self.attempt) = (lease.attempt, lease.attempt),
            Phase::Waiting if lease.attempt == self.attempt && lease.epoch == 1 => {}
            _ => return false,
        }
        self.phase = Phase::Held(lease);
        true
    }

    fn sweep(&mut self, attempt: u32, is_deadline: bool) -> bool {
        let held = self.held().filter(|lease| lease.attempt == attempt);
        match (held, is_deadline) {
            _ if self.phase == Phase::Any => true,
            (Some(lease), false) => self.give_back(lease, Ending::Time),
            (Some(lease), true) => self.finish(lease, Ending::Deadline, PublicState::Expired),
            (None, true) if self.phase == Phase::Waiting && self.attempt == attempt => {
                self.phase = Phase::Finished(PublicState::Expired);
                true
            }
            (None, _) => false,
        }
    }

    // ---- calls that are done ---------------------------------------------------------------

    /// `is_final` says of a failure whether it is the last.
    fn by_handle(&mut self, call: &'a Call, lease: Lease<'a>, is_final: Option<bool>) -> bool {
        if self.knows_nothing_of(lease) {
            return true;
        }
        if self.held() != Some(lease) {
            return self.repeats(call, lease.attempt)
                && is_final.is_none_or(|it| self.ended_so(call, lease.attempt, it));
        }
        match call {
            Call::Renew(_) => true,
            Call::Delay { .. } => self.give_back(lease, Ending::Holder(call, false)),
            Call::Complete { result, .. } => {
                self.result = Some(result);
                self.finish(lease, Ending::Holder(call, true), PublicState::Completed)
            }
            Call::Fail { class, .. } => match (is_final, class) {
                (Some(true), FailureClass::Cancelled) => {
                    self.finish(lease, Ending::Holder(call, true), PublicState::Cancelled)
                }
                (Some(true), _) => {
                    self.finish(lease, Ending::Holder(call, true), PublicState::Failed)
                }
                (_, FailureClass::Permanent | FailureClass::Cancelled) | (None, _) => false,
                (Some(false), _) => self.give_back(lease, Ending::Holder(call, false)),
            },
            _ => false,
        }
    }

    fn by_operator(&mut self, call: &'a Call, told: Told<'a>) -> bool {
        match (call, self.phase) {
            (_, Phase::Any) => true,
            (Call::Cancel { .. }, Phase::Finished(state)) => state == PublicState::Cancelled,
            (Call::Cancel { .. }, Phase::Waiting) => {
                self.phase = Phase::Finished(PublicState::Cancelled);
                true
            }
            (Call::Cancel { fence, .. }, Phase::Held(lease)) if is_fence(fence.as_ref(), lease) => {
                self.finish(lease, Ending::Operator, PublicState::Cancelled)
            }
            (Call::Revoke { instance, lease_id, .. }, Phase::Held(lease)) => {
                let is_it = lease.instance == instance.as_str()
                    && lease_id.is_none_or(|id| id == lease.id)
                    && (told == Told::Nothing || told == Told::Answer(&Answer::Revoked(lease.id)));
                is_it && self.give_back(lease, Ending::Operator)
            }
            (Call::Replay(_), Phase::Finished(_)) => {
                (self.phase, self.result) = (Phase::Waiting, None);
                self.attempt += 1;
                true
            }
            _ => false,
        }
    }

    fn give_back(&mut self, lease: Lease<'a>, ending: Ending<'a>) -> bool {
        self.endings.insert(lease.attempt, ending);
        (self.phase, self.attempt) = (Phase::Waiting, lease.attempt + 1);
        true
    }

    fn finish(&mut self, lease: Lease<'a>, ending: Ending<'a>, state: PublicState) -> bool {
        self.endings.insert(lease.attempt, ending);
        self.phase = Phase::Finished(state);
        true
    }

    // ---- calls that are refused ------------------------------------------------------------

    fn may_refuse(&self, call: &Call, answer: &Answer) -> bool {
        let refusal = match answer {
            _ if self.phase == Phase::Any => return true,
            Answer::NotRevoked(reason) => return self.may_leave(call, reason),
            Answer::Refused(Refusal::Busy | Refusal::Other(_)) => return true,
            Answer::Refused(Refusal::NotFound) => return self.phase == Phase::Absent,
            Answer::Refused(refusal) => refusal,
            _ => return false,
        };
        if let Some(handle) = call.handle() {
            return self.may_refuse_handle(call, handle.into(), refusal);
        }
        match (call, refusal, self.phase) {
            (Call::Cancel { .. }, Refusal::NotActive(told), Phase::Finished(state)) => {
                *told == state && state != PublicState::Cancelled
            }
            (Call::Cancel { fence, .. }, Refusal::StaleLease, Phase::Held(lease)) => {
                !is_fence(fence.as_ref(), lease)
            }
            (Call::Replay(_), Refusal::NotTerminal, Phase::Waiting | Phase::Held(_)) => true,
            (Call::Replay(_), Refusal::MaxReplays, Phase::Finished(_)) => true,
            _ => false,
        }
    }

    fn may_refuse_handle(&self, call: &Call, lease: Lease<'a>, refusal: &Refusal) -> bool {
        let is_held = self.held() == Some(lease);
        let ending = self.endings.get(&lease.attempt);
        match refusal {
            _ if self.knows_nothing_of(lease) => true,
            Refusal::LeaseConflict => !is_held,
            Refusal::LeaseExpired => is_held || ending == Some(&Ending::Time),
            Refusal::AlreadyTerminal => match ending {
                Some(Ending::Holder(Call::Delay { .. }, _)) => false,
                Some(Ending::Holder(..)) => !self.repeats(call, lease.attempt),
                Some(Ending::Deadline) => true,
                _ => false,
            },
            _ => false,
        }
    }

    fn may_leave(&self, call: &Call, reason: &str) -> bool {
        let Call::Revoke { instance, lease_id, .. } = call else { return false };
        match (reason, self.held()) {
            ("no_active_lease", held) => held.is_none() && self.phase != Phase::Absent,
            ("different_worker_instance_id", Some(lease)) => lease.instance != instance.as_str(),
            ("lease_id_mismatch", Some(lease)) => lease_id.is_some_and(|id| id != lease.id),
            _ => false,
        }
    }

    // ---- what is known ---------------------------------------------------------------------

    fn held(&self) -> Option<Lease<'a>> {
        match self.phase {
            Phase::Held(lease) => Some(lease),
            _ => None,
        }
    }

    fn knows_nothing_of(&self, lease: Lease<'_>) -> bool {
        self.phase == Phase::Any || lease.attempt < self.known_from
    }

    /// Whether the call has ended the attempt and is answered again as it was (FIN-5).
    fn repeats(&self, call: &Call, attempt: u32) -> bool {
        let is_same =
            matches!(self.endings.get(&attempt), Some(Ending::Holder(first, _)) if *first == call);
        is_same
            && match call {
                Call::Complete { result, .. } => self.result == Some(result),
                Call::Fail { .. } => true,
                _ => false,
            }
    }

    fn ended_so(&self, call: &Call, attempt: u32, is_final: bool) -> bool {
        !matches!(call, Call::Fail { .. })
            || matches!(self.endings.get(&attempt), Some(Ending::Holder(_, was)) if *was == is_final)
    }
}

fn is_fence(fence: Option<&Handle>, lease: Lease<'_>) -> bool {
    fence.is_none_or(|handle| handle.lease_id() == lease.id)
}

/// Whether a failure was the last: what was told, or else how the attempt is kept.
fn is_final(kept: Option<AttemptOutcome>, told: Told<'_>) -> Option<bool> {
    match (told, kept) {
        (Told::Answer(Answer::RetryAt(_)), _) | (Told::Nothing, Some(AttemptOutcome::Retry)) => {
            Some(false)
        }
        (Told::Answer(Answer::Ended), _)
        | (Told::Nothing, Some(AttemptOutcome::Failed | AttemptOutcome::Cancelled)) => Some(true),
        _ => None,
    }
}
