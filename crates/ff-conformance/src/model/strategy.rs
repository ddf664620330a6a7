//! Which steps are likely: valid ones mostly, and every kind of invalid one now and then.

use std::collections::BTreeSet;

use ff_core::backend::{CancelFlowPolicy, FailureClass};
use ff_core::contracts::{Area, CLAIM_BATCH_MAX, EventStream, ReconcileTask};
use ff_core::types::CancelSource;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest_state_machine::Sequential;

use super::step::*;
use super::{EXECUTIONS, FLOWS, WORKERS};

const LANES: u8 = 2;
/// More rows than a script makes, so that which of them a sweep takes first does not matter.
const ENOUGH: u32 = 100;

/// What has been made by now, so that steps mostly name what is there.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    executions: BTreeSet<u8>,
    flows: BTreeSet<u8>,
}

type Script = Sequential<World, Step, BoxedStrategy<World>, BoxedStrategy<Step>>;

/// Scripts of `steps` steps, of operations of the areas given.
pub(super) fn scripts(steps: usize, areas: Vec<Area>) -> Script {
    Sequential::new(
        steps.into(),
        || Just(World::default()).boxed(),
        |_, _| true,
        move |world| step(world, &areas),
        World::after,
    )
}

impl World {
    fn after(mut self, step: &Step) -> Self {
        match step {
            Step::CreateExecution(it) if it.flaw.is_none() => {
                self.executions.insert(it.execution);
            }
            Step::CreateExecutions(batch) => {
                self.executions.extend(batch.iter().map(|it| it.execution));
            }
            Step::CreateFlow { flow, .. } => {
                self.flows.insert(*flow);
            }
            _ => {}
        }
        self
    }

    fn execution(&self) -> BoxedStrategy<u8> {
        mostly(&self.executions, EXECUTIONS)
    }

    fn flow(&self) -> BoxedStrategy<u8> {
        mostly(&self.flows, FLOWS)
    }
}

/// Mostly one of those that are there.
fn mostly(there: &BTreeSet<u8>, end: u8) -> BoxedStrategy<u8> {
    if there.is_empty() {
        return (0..end).boxed();
    }
    let there: Vec<u8> = there.iter().copied().collect();
    prop_oneof![12 => select(there), 1 => 0..end].boxed()
}

fn step(world: &World, areas: &[Area]) -> BoxedStrategy<Step> {
    let mut steps = vec![(7, time().boxed())];
    let creations = if world.executions.len() < 3 { 100 } else { 14 };
    for area in areas {
        match area {
            Area::Execution => steps.extend([
                (creations, creation_step().boxed()),
                (20, finish().boxed()),
                (7, execution_read(world)),
            ]),
            Area::Claim => steps.push((24, claim().boxed())),
            Area::Lease => steps.push((12, lease().boxed())),
            Area::Operator => steps.push((16, operator(world))),
            Area::Flow => steps.push((20, flow(world))),
            Area::Timer => steps.push((8, reconcile().boxed())),
            Area::Event => steps.push((3, event(world))),
            Area::Worker => steps.push((8, worker().boxed())),
            Area::Admin => steps.push((6, admin().boxed())),
            _ => {}
        }
    }
    proptest::strategy::Union::new_weighted(steps).boxed()
}

fn time() -> impl Strategy<Value = Step> {
    let millis = prop_oneof![
        3 => 1..50u32,
        4 => 100..600u32,
        4 => 900..1_100u32,
        2 => 1_500..3_000u32,
        1 => Just(61_000u32),
    ];
    millis.prop_map(|millis| Step::Advance { millis })
}

fn creation_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => creation().prop_map(Step::CreateExecution),
        1 => vec(creation(), 0..4).prop_map(Step::CreateExecutions),
    ]
}

fn creation() -> impl Strategy<Value = Creation> {
    let flaws = vec![
        CreationFlaw::EmptyLane,
        CreationFlaw::LongKind,
        CreationFlaw::ControlCharacter,
        CreationFlaw::BadTagKey,
        CreationFlaw::TooManyTags,
        CreationFlaw::LargePayload,
        CreationFlaw::BadPolicy,
    ];
    let place = (0..EXECUTIONS, 0..LANES, prop_oneof![4 => Just(0u8), 1 => Just(1u8)], 0..3i8);
    let times = (weighted(0.2, 1..1_500u16), weighted(0.1, 1..3_000u16));
    let rest = (weighted(0.15, 0..2u8), policy(), times, weighted(0.06, select(flaws)));
    (place, rest).prop_map(
        |((execution, lane, namespace, priority), (key, policy, times, flaw))| Creation {
            execution,
            lane,
            namespace,
            priority,
            key,
            policy,
            delay_millis: times.0,
            deadline_millis: times.1,
            flaw,
        },
    )
}

fn policy() -> impl Strategy<Value = PolicyShape> {
    let shapes = vec![
        PolicyShape::RetryAtOnce,
        PolicyShape::RetryLater,
        PolicyShape::RetryWithJitter,
        PolicyShape::NeverRetry,
        PolicyShape::RetryOneCategory,
        PolicyShape::AttemptTimeout,
        PolicyShape::NoReclaim,
        PolicyShape::Deadline,
        PolicyShape::OneReplay,
        PolicyShape::NeedsCapability,
    ];
    prop_oneof![
        4 => Just(PolicyShape::NoPolicy),
        2 => Just(PolicyShape::NoReplay),
        8 => select(shapes),
    ]
}

fn lease_pick() -> impl Strategy<Value = LeasePick> {
    let forgeries = vec![
        Forgery::NextEpoch,
        Forgery::NextAttempt,
        Forgery::OtherInstance,
        Forgery::OtherBackend,
    ];
    (prop_oneof![3 => Just(0u8), 2 => 1..5u8], weighted(0.08, select(forgeries)))
        .prop_map(|(nth_last, forgery)| LeasePick { nth_last, forgery })
}

fn leases() -> impl Strategy<Value = Vec<LeasePick>> {
    vec(lease_pick(), 0..4)
}

fn class() -> impl Strategy<Value = FailureClass> {
    prop_oneof![2 => Just(FailureClass::Transient), 3 => select(FailureClass::ALL)]
}

fn finish() -> impl Strategy<Value = Step> {
    let result = prop_oneof![
        2 => Just(Bytes::Nothing),
        6 => (0..3u8).prop_map(Bytes::Short),
        1 => Just(Bytes::TooLarge),
    ];
    prop_oneof![
        4 => (lease_pick(), result).prop_map(|(lease, result)| Step::Complete { lease, result }),
        4 => (lease_pick(), class()).prop_map(|(lease, class)| Step::Fail { lease, class }),
        1 => leases().prop_map(Step::CompleteBatch),
        1 => (leases(), class()).prop_map(|(leases, class)| Step::FailBatch { leases, class }),
    ]
}

/// The size of a page: small, or one that is refused.
fn page() -> impl Strategy<Value = u32> {
    prop_oneof![1 => Just(0u32), 9 => 1..4u32]
}

fn execution_read(world: &World) -> BoxedStrategy<Step> {
    let one = || world.execution();
    let filter = || {
        prop_oneof![
            Just(Filter::All),
            (0..LANES).prop_map(Filter::OfLane),
            (0..2u8).prop_map(Filter::OfNamespace),
            Just(Filter::Completed),
            Just(Filter::Tagged),
            (0..2_000u16).prop_map(Filter::CreatedSince),
        ]
    };
    prop_oneof![
        one().prop_map(|execution| Step::DescribeExecution { execution }),
        one().prop_map(|execution| Step::ListAttempts { execution }),
        one().prop_map(|execution| Step::GetExecutionResult { execution }),
        vec(one(), 0..3).prop_map(|executions| Step::ReadOutcomes { executions }),
        one().prop_map(|execution| Step::ReadExecutionContext { execution }),
        (filter(), page()).prop_map(|(filter, page)| Step::ListExecutions { filter, page }),
        filter().prop_map(|filter| Step::CountExecutions { filter }),
        (one(), select(Column::ALL), spoiled_call())
            .prop_map(|(execution, column, call)| Step::Spoiled { execution, column, call }),
    ]
    .boxed()
}

fn spoiled_call() -> impl Strategy<Value = SpoiledCall> {
    select(vec![
        SpoiledCall::Describe,
        SpoiledCall::Cancel,
        SpoiledCall::Replay,
        SpoiledCall::Reorder,
        SpoiledCall::Revoke,
    ])
}

fn claim() -> impl Strategy<Value = Step> {
    let flaws = vec![ClaimFlaw::NoLeaseTime, ClaimFlaw::LongWorker, ClaimFlaw::ControlLane];
    let max = prop_oneof![1 => Just(0u32), 1 => Just(CLAIM_BATCH_MAX + 1), 12 => 1..4u32];
    prop_oneof![
        5 => (0..LANES, 0..WORKERS, any::<bool>(), weighted(0.03, select(flaws))).prop_map(
            |(lane, worker, capable, flaw)| Step::Claim { lane, worker, capable, flaw }
        ),
        2 => (0..=LANES, 0..WORKERS, any::<bool>(), max).prop_map(
            |(lanes, worker, capable, max)| Step::ClaimBatch { lanes, worker, capable, max }
        ),
    ]
}

fn lease() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => lease_pick().prop_map(|lease| Step::Renew { lease }),
        1 => leases().prop_map(Step::RenewBatch),
        1 => (lease_pick(), prop_oneof![5 => 0..4u8, 1 => Just(70u8)])
            .prop_map(|(lease, depth)| Step::Progress { lease, depth }),
        2 => (lease_pick(), -300..1_200i32)
            .prop_map(|(lease, millis)| Step::Delay { lease, millis }),
    ]
}

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![14 => Just(Text::Plain), 1 => Just(Text::Long), 1 => Just(Text::Control)]
}

fn operator(world: &World) -> BoxedStrategy<Step> {
    let one = || world.execution();
    let expected =
        select(vec![ExpectedLease::Any, ExpectedLease::LastGranted, ExpectedLease::Unheard]);
    let source = select(vec![CancelSource::OperatorOverride, CancelSource::LeaseHolder]);
    let fence = prop_oneof![
        Just(Fence::NoFence),
        (0..3u8).prop_map(Fence::Epoch),
        (1..2u8).prop_map(Fence::EpochAndOtherLease),
    ];
    prop_oneof![
        2 => leases().prop_map(Step::CheckLeases),
        4 => (one(), 0..WORKERS, expected, text()).prop_map(
            |(execution, worker, expected, reason)| Step::RevokeLease {
                execution,
                worker,
                expected,
                reason
            }
        ),
        4 => (one(), source, fence, text()).prop_map(|(execution, source, fence, reason)| {
            Step::CancelExecution { execution, source, fence, reason }
        }),
        3 => (one(), 0..3i8)
            .prop_map(|(execution, priority)| Step::ChangePriority { execution, priority }),
        5 => one().prop_map(|execution| Step::ReplayExecution { execution }),
    ]
    .boxed()
}

fn flow(world: &World) -> BoxedStrategy<Step> {
    let (flow, one) = (|| world.flow(), || world.execution());
    let policy = || select(CancelFlowPolicy::ALL);
    let creations = if world.flows.is_empty() { 40 } else { 4 };
    prop_oneof![
        creations => (0..FLOWS, text()).prop_map(|(flow, name)| Step::CreateFlow { flow, name }),
        9 => (flow(), one())
            .prop_map(|(flow, execution)| Step::AddExecutionToFlow { flow, execution }),
        1 => flow().prop_map(|flow| Step::DescribeFlow { flow }),
        1 => (weighted(0.5, 0..2u8), page())
            .prop_map(|(namespace, page)| Step::ListFlows { namespace, page }),
        1 => (flow(), page()).prop_map(|(flow, page)| Step::ListFlowMembers { flow, page }),
        3 => (flow(), policy(), any::<bool>())
            .prop_map(|(flow, policy, wait)| Step::CancelFlow { flow, policy, wait }),
        2 => (flow(), weighted(0.9, policy()), text())
            .prop_map(|(flow, policy, reason)| Step::CancelFlowHeader { flow, policy, reason }),
        2 => (flow(), one())
            .prop_map(|(flow, execution)| Step::AckCancelMember { flow, execution }),
    ]
    .boxed()
}

fn reconcile() -> impl Strategy<Value = Step> {
    let limit = prop_oneof![1 => Just(0u32), 20 => Just(ENOUGH)];
    (select(ReconcileTask::ALL), limit).prop_map(|(task, limit)| Step::Reconcile { task, limit })
}

fn event(world: &World) -> BoxedStrategy<Step> {
    prop_oneof![
        world.execution().prop_map(|execution| Step::ListExecutionEvents { execution }),
        (select(EventStream::ALL), page())
            .prop_map(|(stream, page)| Step::ReadEvents { stream, page }),
    ]
    .boxed()
}

fn worker() -> impl Strategy<Value = Step> {
    let ttl_millis = prop_oneof![1 => Just(0u64), 9 => 500..3_000u64, 1 => Just(u64::MAX)];
    prop_oneof![
        4 => (0..WORKERS, prop_oneof![4 => Just(0u8), 1 => Just(1u8)], ttl_millis).prop_map(
            |(instance, worker, ttl_millis)| Step::RegisterWorker { instance, worker, ttl_millis }
        ),
        3 => (0..WORKERS, text())
            .prop_map(|(instance, name)| Step::HeartbeatWorker { instance, name }),
        2 => (0..WORKERS, text())
            .prop_map(|(instance, reason)| Step::MarkWorkerDead { instance, reason }),
        1 => (weighted(0.5, 0..2u8), page())
            .prop_map(|(namespace, page)| Step::ListWorkers { namespace, page }),
        2 => (prop_oneof![Just(0u32), 0..1_500u32], page())
            .prop_map(|(ahead_millis, page)| Step::ListExpiredLeases { ahead_millis, page }),
    ]
}

fn admin() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..LANES, text()).prop_map(|(lane, name)| Step::PauseLane { lane, name }),
        3 => (0..LANES, text()).prop_map(|(lane, name)| Step::ResumeLane { lane, name }),
        2 => (0..2u8, weighted(0.7, 0..2_000u16), text())
            .prop_map(|(namespace, millis, name)| Step::SetRetention { namespace, millis, name }),
        1 => Just(Step::ListLanes),
        1 => Just(Step::Ping),
        1 => Just(Step::Now),
        1 => Just(Step::Prepare),
        2 => Just(Step::Reopen),
    ]
}
