-- $1: now, $2: JSON array of executions to pass by, $3: limit
SELECT a.partition_key, a.execution_id
FROM ff_attempt AS a INDEXED BY ff_attempt_open
CROSS JOIN ff_exec_core AS e
WHERE e.partition_key = a.partition_key
    AND e.execution_id = a.execution_id
    AND a.outcome IS NULL
    AND a.terminal_at_ms IS NULL
    AND a.lease_expires_at_ms <= $1
    AND e.lifecycle_phase = 'active'
    AND e.attempt_index = a.attempt_index
    AND a.execution_id NOT IN (SELECT unhex(value, '-') FROM json_each($2))
ORDER BY a.lease_expires_at_ms
LIMIT ($3 + 0);
