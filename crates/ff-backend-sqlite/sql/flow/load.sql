-- $1: flow
SELECT flow_id, graph_revision, public_flow_state, created_at_ms, terminal_at_ms, namespace,
    flow_kind, tags, raw_fields
FROM ff_flow_core
WHERE partition_key = 0 AND flow_id = $1;
