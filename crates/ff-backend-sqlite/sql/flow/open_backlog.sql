-- $1: flow, $2: now
INSERT INTO ff_cancel_backlog (partition_key, flow_id, requested_at_ms) VALUES (0, $1, $2)
ON CONFLICT (partition_key, flow_id) DO NOTHING;
