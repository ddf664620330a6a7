-- $1: now, $2: executions to pass by, $3: limit
SELECT e.partition_key, e.execution_id, n.retention_ms
FROM ff_namespace AS n
CROSS JOIN ff_exec_core AS e
WHERE n.retention_ms >= 0
    AND e.namespace = n.namespace
    AND e.lifecycle_phase IN ('terminal', 'cancelled')
    AND e.terminal_at_ms <= $1 - n.retention_ms
    AND e.execution_id <> ALL ($2::uuid[])
LIMIT $3
FOR NO KEY UPDATE OF e SKIP LOCKED;
