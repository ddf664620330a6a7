-- $1: partition, $2: flow, $3: time
INSERT INTO ff_cancel_backlog (partition_key, flow_id, requested_at_ms)
VALUES ($1, $2, $3)
ON CONFLICT (partition_key, flow_id) DO NOTHING;
