//! A row of a table of events, as a driver reads it. A value outside its range is `Corruption` that names
//! table, column and event (SAFE-7).

use ff_core::contracts::{EventCursor, RecordedEvent};
use ff_core::engine_error::EngineError;
use ff_core::types::{ExecutionId, FlowId, Namespace, TimestampMs};
use serde_json::Value;
use uuid::Uuid;

use crate::reader::Reader;

/// A row of `ff_lease_event`, `ff_completion_event` or `ff_operator_event`.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// The transaction that recorded it; 0 where ids alone give the order.
    pub transaction: i64,
    /// `event_id`
    pub event_id: i64,
    /// `partition_key`
    pub partition_key: i64,
    /// `execution_id` as text, with hyphens or without
    pub execution_id: String,
    /// `flow_id` as text; completion events only
    pub flow_id: Option<String>,
    /// `outcome` of a completion, else `event_type`
    pub name: String,
    /// `details`; operator events only
    pub details: Option<String>,
    /// `occurred_at_ms`
    pub occurred_at_ms: i64,
    /// `namespace`
    pub namespace: String,
    /// `instance_tag`
    pub instance_tag: Option<String>,
}

impl EventRow {
    /// What a subscriber reads.
    ///
    /// # Errors
    /// `Corruption`.
    pub fn into_event(self, table: &'static str) -> Result<RecordedEvent, EngineError> {
        let reader = Reader { table, id: &self.event_id };
        let cursor = EventCursor::new(
            reader.number("transaction", self.transaction)?,
            reader.number("event_id", self.event_id)?,
        );
        let partition = reader.number("partition_key", self.partition_key)?;
        let uuid = reader.word::<Uuid>("execution_id", &self.execution_id)?;
        let flow_id =
            self.flow_id.as_deref().map(|text| reader.word::<Uuid>("flow_id", text)).transpose()?;
        let details = self.details.as_deref().map(|text| reader.word("details", text));
        let mut event = RecordedEvent::new(
            cursor,
            ExecutionId::from_parts(partition, uuid),
            TimestampMs(self.occurred_at_ms),
            self.name,
        );
        event.flow_id = flow_id.map(FlowId);
        event.details = details.transpose()?.unwrap_or(Value::Null);
        event.namespace = Namespace::new(self.namespace);
        event.instance_tag = self.instance_tag;
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use ff_core::engine_error::ValidationKind;
    use serde_json::json;

    use super::*;

    fn row() -> EventRow {
        EventRow {
            transaction: 0,
            event_id: 7,
            partition_key: 3,
            execution_id: Uuid::from_u128(1).to_string(),
            flow_id: None,
            name: "success".to_owned(),
            details: None,
            occurred_at_ms: 5,
            namespace: "default".to_owned(),
            instance_tag: None,
        }
    }

    #[test]
    fn a_row_is_read_whole() {
        let event = EventRow {
            transaction: 88,
            execution_id: Uuid::from_u128(1).simple().to_string().to_uppercase(),
            flow_id: Some(Uuid::from_u128(2).to_string()),
            details: Some(r#"{"old":1}"#.to_owned()),
            namespace: "tenant".to_owned(),
            instance_tag: Some("blue".to_owned()),
            ..row()
        };

        let event = event.into_event("ff_completion_event").unwrap();

        let execution_id = ExecutionId::from_parts(3, Uuid::from_u128(1));
        let mut expected =
            RecordedEvent::new(EventCursor::new(88, 7), execution_id, TimestampMs(5), "success");
        expected.flow_id = Some(FlowId(Uuid::from_u128(2)));
        expected.details = json!({"old": 1});
        expected.namespace = Namespace::new("tenant");
        expected.instance_tag = Some("blue".to_owned());
        assert_eq!(event, expected);
    }

    #[test]
    fn what_a_row_does_not_have_is_empty() {
        let event = row().into_event("ff_lease_event").unwrap();
        assert_eq!((event.flow_id, event.details, event.instance_tag), (None, Value::Null, None));
    }

    #[test]
    fn every_column_that_can_be_corrupt_is_named() {
        type Spoil = fn(&mut EventRow);
        let cases: [(&str, Spoil); 6] = [
            ("transaction", |row| row.transaction = -1),
            ("partition_key", |row| row.partition_key = 65_536),
            ("partition_key", |row| row.partition_key = -1),
            ("execution_id", |row| row.execution_id = "x".to_owned()),
            ("flow_id", |row| row.flow_id = Some(String::new())),
            ("details", |row| row.details = Some("{".to_owned())),
        ];
        for (column, spoil) in cases {
            let mut row = row();
            spoil(&mut row);
            assert_corrupt(row, &format!("ff_operator_event.{column} of 7: "));
        }
        assert_corrupt(EventRow { event_id: -1, ..row() }, "ff_operator_event.event_id of -1: ");
    }

    fn assert_corrupt(row: EventRow, named: &str) {
        match row.into_event("ff_operator_event") {
            Err(EngineError::Validation { kind: ValidationKind::Corruption, detail }) => {
                assert!(detail.starts_with(named), "{named}: {detail}");
            }
            other => panic!("{named}: {other:?}"),
        }
    }
}
