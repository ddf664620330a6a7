-- $1: flow
-- A row of another program may name an execution that is not there.
SELECT coalesce(e.partition_key, m.partition_key) AS partition_key, m.execution_id
FROM ff_cancel_backlog_member AS m
LEFT JOIN ff_exec_core AS e ON e.flow_id = m.flow_id AND e.execution_id = m.execution_id
WHERE m.partition_key = 0 AND m.flow_id = $1
ORDER BY m.execution_id;
