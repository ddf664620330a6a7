-- $1: partition, $2: flow, $3: array of executions
INSERT INTO ff_cancel_backlog_member (partition_key, flow_id, execution_id)
SELECT $1::bigint, $2, item.execution_id
FROM unnest($3::uuid[]) AS item (execution_id)
ON CONFLICT (partition_key, flow_id, execution_id) DO NOTHING;
