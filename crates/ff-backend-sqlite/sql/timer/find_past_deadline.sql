-- $1: now, $2: JSON array of executions to pass by, $3: limit
SELECT partition_key, execution_id
FROM ff_exec_core
WHERE deadline_at_ms IS NOT NULL
    AND lifecycle_phase NOT IN ('terminal', 'cancelled')
    AND deadline_at_ms <= $1
    AND execution_id NOT IN (SELECT unhex(value, '-') FROM json_each($2))
ORDER BY deadline_at_ms
LIMIT ($3 + 0);
