-- $1: flow, $2: JSON array of keys
INSERT INTO ff_cancel_backlog_member (partition_key, flow_id, execution_id)
SELECT 0, $1, unhex(item.value ->> 'execution_id', '-')
FROM json_each($2) AS item
WHERE true
ON CONFLICT (partition_key, flow_id, execution_id) DO NOTHING;
