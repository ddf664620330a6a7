-- $1: partition, $2: flow, $3: array of executions, $4: array of times until which workers may hold them
INSERT INTO ff_cancel_backlog_member (partition_key, flow_id, execution_id, held_until_ms)
SELECT $1::bigint, $2, item.execution_id, item.held_until_ms
FROM unnest($3::uuid[], $4::bigint[]) AS item (execution_id, held_until_ms)
ON CONFLICT (partition_key, flow_id, execution_id) DO NOTHING;
