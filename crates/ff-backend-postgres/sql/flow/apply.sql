-- $1: partition, $2: flow, $3: state, $4: end, $5: fields that replace those of their names
UPDATE ff_flow_core
SET public_flow_state = $3, terminal_at_ms = $4, raw_fields = raw_fields || $5::text::jsonb
WHERE partition_key = $1 AND flow_id = $2;
