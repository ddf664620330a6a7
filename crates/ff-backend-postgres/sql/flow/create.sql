-- $1: partition, $2: flow, $3: state, $4: creation time, $5: namespace, $6: kind, $7: tags
INSERT INTO ff_flow_core (
    partition_key, flow_id, public_flow_state, created_at_ms, namespace, flow_kind, tags
)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb)
ON CONFLICT (partition_key, flow_id) DO NOTHING;
