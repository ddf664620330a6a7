-- $1: flow, $2: kind, $3: namespace, $4: JSON object of tags, $5: state, $6: created
INSERT INTO ff_flow_core (
    partition_key, flow_id, flow_kind, namespace, tags, public_flow_state, created_at_ms
)
VALUES (0, $1, $2, $3, $4, $5, $6)
ON CONFLICT (partition_key, flow_id) DO NOTHING;
