-- $1: now, $2: executions to pass by, $3: limit
SELECT a.partition_key, a.execution_id
FROM ff_attempt AS a
JOIN ff_exec_core AS e
    ON e.partition_key = a.partition_key
    AND e.execution_id = a.execution_id
WHERE a.outcome IS NULL
    AND a.terminal_at_ms IS NULL
    AND a.lease_expires_at_ms <= $1
    AND e.lifecycle_phase = 'active'
    AND e.attempt_index = a.attempt_index
    AND a.execution_id <> ALL ($2::uuid[])
ORDER BY a.lease_expires_at_ms
LIMIT $3
FOR NO KEY UPDATE OF e SKIP LOCKED;
