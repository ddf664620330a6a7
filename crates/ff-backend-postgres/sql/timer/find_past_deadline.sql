-- $1: now, $2: executions to pass by, $3: limit
SELECT partition_key, execution_id
FROM ff_exec_core
WHERE deadline_at_ms IS NOT NULL
    AND lifecycle_phase NOT IN ('terminal', 'cancelled')
    AND deadline_at_ms <= $1
    AND execution_id <> ALL ($2::uuid[])
ORDER BY deadline_at_ms
LIMIT $3
FOR NO KEY UPDATE SKIP LOCKED;
