-- $1: partition, $2: flow
-- A row of another program may name a member that lies elsewhere than its flow.
SELECT coalesce(e.partition_key, m.partition_key) AS partition_key, m.execution_id
FROM ff_cancel_backlog_member AS m
LEFT JOIN ff_exec_core AS e ON e.flow_id = m.flow_id AND e.execution_id = m.execution_id
WHERE m.partition_key = $1 AND m.flow_id = $2
ORDER BY m.execution_id;
