-- Arrays of members whose flows' backlogs are locked: $1: partitions, $2: flows, $3: executions
DELETE FROM ff_cancel_backlog_member AS m
USING unnest($1::bigint[], $2::uuid[], $3::uuid[]) AS item (partition_key, flow_id, execution_id)
WHERE m.partition_key = item.partition_key
    AND m.flow_id = item.flow_id
    AND m.execution_id = item.execution_id;
