-- $1: flow
SELECT e.partition_key, e.execution_id
FROM ff_cancel_backlog_member AS m
CROSS JOIN ff_exec_core AS e
WHERE m.partition_key = 0
    AND m.flow_id = $1
    AND e.flow_id = m.flow_id
    AND e.execution_id = m.execution_id;
