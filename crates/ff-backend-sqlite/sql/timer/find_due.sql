-- $1: now, $2: JSON array of executions to pass by, $3: limit
-- What was submitted more than a second ago is due for its admission, the newest first: the oldest is about to
-- be claimed.
SELECT partition_key, execution_id FROM (
    SELECT partition_key, execution_id
    FROM ff_exec_core
    WHERE lifecycle_phase IN ('submitted', 'runnable')
        AND eligibility_state = 'not_eligible_until_time'
        AND eligible_at_ms <= $1
        AND execution_id NOT IN (SELECT unhex(value, '-') FROM json_each($2))
    ORDER BY eligible_at_ms
    LIMIT ($3 + 0)
)
UNION ALL
SELECT partition_key, execution_id FROM (
    SELECT partition_key, execution_id
    FROM ff_exec_core
    WHERE lifecycle_phase = 'submitted'
        AND eligibility_state = 'eligible_now'
        AND created_at_ms < $1 - 1000
        AND execution_id NOT IN (SELECT unhex(value, '-') FROM json_each($2))
    ORDER BY created_at_ms DESC
    LIMIT ($3 + 0)
)
LIMIT ($3 + 0);
