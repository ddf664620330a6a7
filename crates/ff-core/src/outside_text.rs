//! Properties of everything that reads text from outside: ids, words, numbers, handles, cursors, and the JSON
//! of policies, errors and stored executions.
//!
//! What is written reads back. Any other text is refused with an error that says something, or is read as a
//! value that reads back; of what has one text, no other text is read.

mod mutate;
mod values;

use std::fmt::{Debug, Display};
use std::str::FromStr;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::backend::{
    CancelFlowPolicy, CapabilitySet, FailureClass, Handle, HandleKind, HandleLease,
};
use crate::caps::CapabilityRequirement;
use crate::contracts::{Area, EventCursor, EventStream, ReconcileTask, Severity};
use crate::execution::{Attempt, AttemptError, Execution};
use crate::partition::{Partition, PartitionConfig};
use crate::policy::{BackoffStrategy, ExecutionPolicy};
use crate::rules::retry::{backoff_ms, retry_delay_ms};
use crate::state::*;
use crate::types::*;
use mutate::{any_text, flipped, mutated, neighbours};

type Checked = Result<(), TestCaseError>;

/// What a value prints is read as the value.
fn reads_back<T>(value: &T) -> Checked
where
    T: FromStr + Display + Debug + PartialEq,
{
    let read = value.to_string().parse::<T>().ok();
    prop_assert_eq!(read.as_ref(), Some(value));
    Ok(())
}

/// A text is refused with a reason, or is a value that reads back.
fn is_sound<T>(text: &str) -> Result<Option<T>, TestCaseError>
where
    T: FromStr + Display + Debug + PartialEq,
    T::Err: Display,
{
    match text.parse::<T>() {
        Ok(value) => reads_back(&value).map(|()| Some(value)),
        Err(error) => {
            prop_assert!(!error.to_string().is_empty());
            Ok(None)
        }
    }
}

/// As [`is_sound`], and no value has two texts.
fn is_the_only_text<T>(text: &str) -> Checked
where
    T: FromStr + Display + Debug + PartialEq,
    T::Err: Display,
{
    if let Some(value) = is_sound::<T>(text)? {
        prop_assert_eq!(value.to_string(), text);
    }
    Ok(())
}

fn json_reads_back<T>(value: &T) -> Checked
where
    T: Serialize + DeserializeOwned + Debug + PartialEq,
{
    let json = serde_json::to_vec(value).unwrap();
    prop_assert_eq!(&serde_json::from_slice::<T>(&json).unwrap(), value);
    let tree = serde_json::to_value(value).unwrap();
    prop_assert_eq!(&serde_json::from_value::<T>(tree).unwrap(), value);
    Ok(())
}

fn json_is_sound<T>(json: &[u8]) -> Result<Option<T>, TestCaseError>
where
    T: Serialize + DeserializeOwned + Debug + PartialEq,
{
    match serde_json::from_slice::<T>(json) {
        Ok(value) => json_reads_back(&value).map(|()| Some(value)),
        Err(error) => {
            prop_assert!(!error.to_string().is_empty());
            Ok(None)
        }
    }
}

fn json_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

/// Of each word: all spellings are read, and nothing else is.
macro_rules! words_are_read_by_their_spellings {
    ($($words:ident)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(64))]
            $(
                #[test]
                #[expect(non_snake_case, reason = "each test is named after what it reads")]
                fn $words(
                    text in mutated(values::word($words::ALL).prop_map(|word| word.to_string())),
                    other in any_text(),
                ) {
                    for text in [text, other] {
                        let read = is_sound::<$words>(&text)?;
                        let spelt = $words::ALL.iter().find(|it| it.spellings().contains(&&*text));
                        prop_assert_eq!(read.as_ref(), spelt);
                        let json = json_is_sound::<$words>(json_of(&text).as_bytes())?;
                        prop_assert_eq!(json, read);
                    }
                }
            )*
        }
    };
}

mod words {
    use super::*;

    words_are_read_by_their_spellings! {
        Area AttemptOutcome AttemptState CancelFlowPolicy CancelSource CompletionOutcome
        EligibilityState EventStream FailureClass HandleKind LaneState LeaseEventType LifecyclePhase
        OperatorEventType OwnershipState PublicFlowState PublicState ReconcileTask Severity
        WorkerEventType
    }
}

proptest! {
    #[test]
    fn string_ids_are_any_text(text in any_text()) {
        is_the_only_text::<LaneId>(&text)?;
        is_the_only_text::<Namespace>(&text)?;
        is_the_only_text::<WorkerId>(&text)?;
        is_the_only_text::<WorkerInstanceId>(&text)?;
        json_reads_back(&LaneId(text))?;
    }

    #[test]
    fn uuid_ids_read_back(uuid: u128, noise in any_text()) {
        let uuid = Uuid::from_u128(uuid);
        reads_back(&FlowId(uuid))?;
        json_reads_back(&FlowId(uuid))?;
        reads_back(&AttemptId(uuid))?;
        reads_back(&EdgeId(uuid))?;
        reads_back(&LeaseId(uuid))?;
        is_sound::<FlowId>(&noise)?;
    }

    #[test]
    fn a_text_that_is_almost_a_uuid_is_sound(
        text in mutated(any::<u128>().prop_map(|uuid| Uuid::from_u128(uuid).to_string())),
    ) {
        is_sound::<FlowId>(&text)?;
        json_is_sound::<FlowId>(json_of(&text).as_bytes())?;
    }

    #[test]
    fn numbers_read_back(time: i64, epoch: u64, index: u32, text in any_text()) {
        reads_back(&TimestampMs(time))?;
        reads_back(&LeaseEpoch(epoch))?;
        reads_back(&AttemptIndex(index))?;
        json_reads_back(&(TimestampMs(time), LeaseEpoch(epoch), AttemptIndex(index)))?;
        is_sound::<TimestampMs>(&text)?;
        json_is_sound::<TimestampMs>(text.as_bytes())?;
        json_is_sound::<LeaseEpoch>(text.as_bytes())?;
        json_is_sound::<AttemptIndex>(text.as_bytes())?;
    }

    #[test]
    fn a_text_that_is_almost_a_number_is_sound(
        text in mutated(any::<i64>().prop_map(|time| time.to_string())),
    ) {
        is_sound::<TimestampMs>(&text)?;
        is_sound::<LeaseEpoch>(&text)?;
        is_sound::<AttemptIndex>(&text)?;
        json_is_sound::<TimestampMs>(text.as_bytes())?;
        json_is_sound::<LeaseEpoch>(text.as_bytes())?;
        json_is_sound::<PartitionConfig>(format!("{{\"num_flow_partitions\":{text}}}").as_bytes())?;
        json_is_sound::<Partition>(format!("{{\"index\":{text}}}").as_bytes())?;
    }

    #[test]
    fn execution_ids_read_back(id in values::execution_id(), other in any_text()) {
        reads_back(&id)?;
        json_reads_back(&id)?;
        is_the_only_text::<ExecutionId>(&other)?;
        for neighbour in neighbours(&id.to_string()) {
            is_the_only_text::<ExecutionId>(&neighbour)?;
        }
    }

    #[test]
    fn an_execution_id_has_one_text(
        text in mutated(values::execution_id().prop_map(|id| id.to_string())),
    ) {
        is_the_only_text::<ExecutionId>(&text)?;
        json_is_sound::<ExecutionId>(json_of(&text).as_bytes())?;
    }

    #[test]
    fn event_cursors_read_back(cursor in values::event_cursor(), other in any_text()) {
        reads_back(&cursor)?;
        json_reads_back(&cursor)?;
        is_the_only_text::<EventCursor>(&other)?;
        for neighbour in neighbours(&cursor.to_string()) {
            is_the_only_text::<EventCursor>(&neighbour)?;
        }
    }

    #[test]
    fn an_event_cursor_has_one_text(
        text in mutated(values::event_cursor().prop_map(|cursor| cursor.to_string())),
    ) {
        is_the_only_text::<EventCursor>(&text)?;
        json_is_sound::<EventCursor>(json_of(&text).as_bytes())?;
    }

    #[test]
    fn handles_read_back(handle in values::handle(), other in any_text()) {
        reads_back(&handle)?;
        json_reads_back(&handle)?;
        is_the_only_text::<Handle>(&other)?;
        for neighbour in neighbours(&handle.to_string()) {
            is_the_only_text::<Handle>(&neighbour)?;
        }
    }

    #[test]
    fn a_handle_has_one_text(
        text in mutated(values::handle().prop_map(|handle| handle.to_string())),
    ) {
        is_the_only_text::<Handle>(&text)?;
    }

    #[test]
    fn what_is_a_handle_in_json_is_one_in_text(
        json in mutated(values::handle().prop_map(|handle| json_of(&handle))),
        bytes in flipped(values::handle().prop_map(|handle| json_of(&handle))),
    ) {
        for json in [json.as_bytes(), &bytes] {
            if let Some(handle) = json_is_sound::<Handle>(json)? {
                reads_back(&handle)?;
            }
            json_is_sound::<HandleLease>(json)?;
        }
    }

    #[test]
    fn capabilities_read_back(
        names in proptest::collection::vec(any::<String>(), 0..4),
        json in any_text(),
    ) {
        json_reads_back(&CapabilitySet::new(names.clone()))?;
        json_reads_back(&CapabilityRequirement::new(names.clone()))?;
        json_is_sound::<CapabilitySet>(json.as_bytes())?;
        json_is_sound::<CapabilityRequirement>(json_of(&names).as_bytes())?;
    }

    #[test]
    fn policies_read_back(policy in values::policy()) {
        json_reads_back(&policy)?;
    }

    /// Another program may store any policy, and a field of it may be from a later version.
    #[test]
    fn a_policy_with_wild_fields_is_sound_and_can_be_followed(
        mut policy in values::policy().prop_map(|policy| serde_json::to_value(&policy).unwrap()),
        field in any::<prop::sample::Index>(),
        wild in values::json(),
        mut execution in values::execution(),
    ) {
        let fields = ["retry_policy", "timeout_policy", "routing_requirements", "max_replay_count", "new"];
        policy[fields[field.index(fields.len())]] = wild;
        if let Some(policy) = json_is_sound::<ExecutionPolicy>(json_of(&policy).as_bytes())? {
            execution.policy = Some(policy);
            for class in FailureClass::ALL {
                retry_delay_ms(&execution, *class);
            }
        }
    }

    #[test]
    fn json_that_is_almost_a_policy_is_sound(
        text in mutated(values::policy().prop_map(|policy| json_of(&policy))),
        bytes in flipped(values::policy().prop_map(|policy| json_of(&policy))),
        retries: u32,
    ) {
        for json in [text.as_bytes(), &bytes] {
            let policy = json_is_sound::<ExecutionPolicy>(json)?;
            let backoff = policy.and_then(|policy| policy.retry_policy).map(|retry| retry.backoff);
            if let Some(BackoffStrategy::Exponential { max_delay_ms, .. }) = backoff {
                let delay = backoff.as_ref().map_or(0, |backoff| backoff_ms(backoff, retries));
                prop_assert!(delay <= max_delay_ms);
            }
        }
    }

    #[test]
    fn policies_may_leave_anything_out(policy in values::policy(), kept: [bool; 4]) {
        let mut json = serde_json::to_value(&policy).unwrap();
        let fields = json.as_object_mut().unwrap();
        let mut kept = kept.iter();
        fields.retain(|_, _| kept.next().copied().unwrap_or(true));
        prop_assert!(json_is_sound::<ExecutionPolicy>(json_of(&json).as_bytes())?.is_some());
    }
}

proptest! {
    // An execution is large.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn stored_executions_read_back(
        execution in values::execution(),
        attempt in values::attempt(),
        error in values::attempt_error(),
    ) {
        json_reads_back(&execution)?;
        json_reads_back(&attempt)?;
        json_reads_back(&error)?;
    }

    #[test]
    fn json_that_is_almost_an_execution_is_sound(
        execution in mutated(values::execution().prop_map(|execution| json_of(&execution))),
        attempt in flipped(values::attempt().prop_map(|attempt| json_of(&attempt))),
        error in mutated(values::attempt_error().prop_map(|error| json_of(&error))),
    ) {
        json_is_sound::<Execution>(execution.as_bytes())?;
        json_is_sound::<Attempt>(&attempt)?;
        json_is_sound::<AttemptError>(error.as_bytes())?;
    }
}
