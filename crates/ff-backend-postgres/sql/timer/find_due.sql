-- $1: now, $2: executions to pass by, $3: limit
SELECT partition_key, execution_id
FROM ff_exec_core
WHERE lifecycle_phase IN ('submitted', 'runnable')
    AND eligibility_state = 'not_eligible_until_time'
    AND eligible_at_ms <= $1
    AND execution_id <> ALL ($2::uuid[])
ORDER BY eligible_at_ms
LIMIT $3
FOR NO KEY UPDATE SKIP LOCKED;
