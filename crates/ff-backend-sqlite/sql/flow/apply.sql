-- $1: flow, $2: state, $3: its end, $4: JSON object that is merged into the raw fields
UPDATE ff_flow_core
SET public_flow_state = $2, terminal_at_ms = $3, raw_fields = json_patch(raw_fields, $4)
WHERE partition_key = 0 AND flow_id = $1;
