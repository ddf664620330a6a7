-- $1: now, $2: executions to pass by, $3: limit
SELECT a.partition_key, a.execution_id
FROM ff_attempt AS a
JOIN ff_exec_core AS e
    ON e.partition_key = a.partition_key
    AND e.execution_id = a.execution_id
WHERE a.outcome IS NULL
    AND a.terminal_at_ms IS NULL
    AND e.lifecycle_phase = 'active'
    AND e.attempt_index = a.attempt_index
    AND CASE
        WHEN jsonb_typeof(e.policy #> '{timeout_policy,attempt_timeout_ms}') = 'number'
            THEN a.started_at_ms
                + (e.policy #>> '{timeout_policy,attempt_timeout_ms}')::numeric <= $1
    END
    AND a.execution_id <> ALL ($2::uuid[])
LIMIT $3
FOR NO KEY UPDATE OF e SKIP LOCKED;
