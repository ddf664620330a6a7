-- $1: flow, $2: JSON array of executions and times until which workers may hold them
INSERT INTO ff_cancel_backlog_member (partition_key, flow_id, execution_id, held_until_ms)
SELECT 0, $1, unhex(item.value ->> 'execution_id', '-'), item.value ->> 'held_until_ms'
FROM json_each($2) AS item
WHERE true
ON CONFLICT (partition_key, flow_id, execution_id) DO NOTHING;
