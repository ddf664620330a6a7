-- $1: partition, $2: flow
SELECT
    flow_id, graph_revision, public_flow_state, created_at_ms, terminal_at_ms, namespace, flow_kind,
    tags::text AS tags, raw_fields::text AS raw_fields
FROM ff_flow_core
WHERE partition_key = $1 AND flow_id = $2;
