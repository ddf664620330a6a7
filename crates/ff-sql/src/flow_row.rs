//! A row of `ff_flow_core`, as a driver reads it. A value outside its range or vocabulary is `Corruption` that
//! names table, column and flow (SAFE-7).

use ff_core::contracts::FlowSnapshot;
use ff_core::engine_error::EngineError;
use ff_core::types::{FlowId, Namespace, TimestampMs};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::reader::Reader;

/// A row of `ff_flow_core`.
#[derive(Clone, Debug)]
pub struct FlowRow {
    /// `flow_id`
    pub flow_id: Uuid,
    /// `graph_revision`
    pub graph_revision: i64,
    /// `public_flow_state`
    pub public_flow_state: String,
    /// `created_at_ms`
    pub created_at_ms: i64,
    /// `terminal_at_ms`
    pub terminal_at_ms: Option<i64>,
    /// `namespace`
    pub namespace: String,
    /// `flow_kind`
    pub flow_kind: String,
    /// `tags`
    pub tags: String,
    /// `raw_fields`
    pub raw_fields: String,
}

/// What is read and written of `raw_fields`; the rest stays as it is.
#[derive(Deserialize, Serialize)]
struct RawFields {
    #[serde(default)]
    cancellation_policy: Option<String>,
    #[serde(default)]
    cancel_reason: Option<String>,
}

impl FlowRow {
    /// What the rules read.
    ///
    /// # Errors
    /// `Corruption`.
    pub fn into_flow(self) -> Result<FlowSnapshot, EngineError> {
        let reader = Reader { table: "ff_flow_core", id: &self.flow_id };
        let raw: RawFields = reader.object("raw_fields", &self.raw_fields)?;
        let flow_id = FlowId(self.flow_id);
        let created_at = TimestampMs(self.created_at_ms);
        let mut flow = FlowSnapshot::open(flow_id, Namespace::new(self.namespace), created_at);
        flow.tags = reader.object("tags", &self.tags)?;
        flow.public_flow_state = reader.word("public_flow_state", &self.public_flow_state)?;
        flow.graph_revision = reader.number("graph_revision", self.graph_revision)?;
        flow.terminal_at = self.terminal_at_ms.map(TimestampMs);
        flow.cancellation_policy = raw.cancellation_policy;
        flow.cancel_reason = raw.cancel_reason;
        flow.flow_kind = self.flow_kind;
        Ok(flow)
    }
}

/// What a flow's cancellation writes over `raw_fields`, as JSON: its members replace those of the same name.
///
/// # Errors
/// `InvalidInput` for a value that JSON cannot hold.
pub fn raw_fields_patch(flow: &FlowSnapshot) -> Result<String, EngineError> {
    crate::document::to_parameter(&RawFields {
        cancellation_policy: flow.cancellation_policy.clone(),
        cancel_reason: flow.cancel_reason.clone(),
    })
}

#[cfg(test)]
mod tests {
    use ff_core::engine_error::ValidationKind;
    use ff_core::state::PublicFlowState;

    use super::*;

    fn row() -> FlowRow {
        FlowRow {
            flow_id: Uuid::from_u128(7),
            graph_revision: 3,
            public_flow_state: "cancelled".to_owned(),
            created_at_ms: 5,
            terminal_at_ms: Some(6),
            namespace: "tenant".to_owned(),
            flow_kind: "import".to_owned(),
            tags: r#"{"a":"b"}"#.to_owned(),
            raw_fields: r#"{"cancellation_policy":"cancel_all","cancel_reason":"x","other":1}"#
                .to_owned(),
        }
    }

    #[test]
    fn a_row_is_read_whole() {
        let flow = row().into_flow().unwrap();
        assert_eq!(flow.public_flow_state, PublicFlowState::Cancelled);
        assert_eq!((flow.graph_revision, flow.terminal_at), (3, Some(TimestampMs(6))));
        assert_eq!((flow.flow_kind.as_str(), flow.namespace.as_str()), ("import", "tenant"));
        assert_eq!(flow.tags.get("a").map(String::as_str), Some("b"));
        assert_eq!(
            raw_fields_patch(&flow).unwrap(),
            r#"{"cancellation_policy":"cancel_all","cancel_reason":"x"}"#
        );
    }

    #[test]
    fn every_column_that_can_be_corrupt_is_named() {
        type Spoil = fn(&mut FlowRow);
        let cases: [(&str, Spoil); 5] = [
            ("public_flow_state", |row| row.public_flow_state = "opened".to_owned()),
            ("graph_revision", |row| row.graph_revision = -1),
            ("tags", |row| row.tags = "[]".to_owned()),
            ("raw_fields", |row| row.raw_fields = "1".to_owned()),
            ("raw_fields", |row| row.raw_fields = r#"{"cancel_reason":1}"#.to_owned()),
        ];
        for (column, spoil) in cases {
            let mut row = row();
            spoil(&mut row);
            let named = format!("ff_flow_core.{column} of {}: ", Uuid::from_u128(7));
            match row.into_flow() {
                Err(EngineError::Validation { kind: ValidationKind::Corruption, detail }) => {
                    assert!(detail.starts_with(&named), "{named}: {detail}");
                }
                other => panic!("{named}: {other:?}"),
            }
        }
    }
}
