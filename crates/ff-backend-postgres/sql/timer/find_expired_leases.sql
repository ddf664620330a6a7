-- $1: now, $2: executions to pass by, $3: limit
SELECT a.partition_key, a.execution_id
FROM ff_exec_core AS e
JOIN ff_attempt AS a
    ON a.partition_key = ANY (ARRAY[e.partition_key])
    AND a.execution_id = e.execution_id
    AND a.attempt_index = e.attempt_index
WHERE e.lifecycle_phase = 'active'
    AND a.outcome IS NULL
    AND a.terminal_at_ms IS NULL
    AND a.lease_expires_at_ms <= $1
    AND a.execution_id <> ALL ($2::uuid[])
ORDER BY a.lease_expires_at_ms
LIMIT $3
FOR NO KEY UPDATE OF e SKIP LOCKED;
