-- $1: now, $2: executions to pass by, $3: limit
-- What is due, and then what was submitted more than a second ago, the newest first: the oldest is about to be
-- claimed.
WITH due AS MATERIALIZED (
    SELECT partition_key, execution_id
    FROM ff_exec_core
    WHERE lifecycle_phase IN ('submitted', 'runnable')
        AND eligibility_state = 'not_eligible_until_time'
        AND eligible_at_ms <= $1
        AND execution_id <> ALL ($2::uuid[])
    ORDER BY eligible_at_ms
    LIMIT $3
    FOR NO KEY UPDATE SKIP LOCKED
),
submitted AS MATERIALIZED (
    SELECT partition_key, execution_id
    FROM ff_exec_core
    WHERE lifecycle_phase = 'submitted'
        AND eligibility_state = 'eligible_now'
        AND created_at_ms < $1 - 1000
        AND execution_id <> ALL ($2::uuid[])
    ORDER BY created_at_ms DESC
    LIMIT $3
    FOR NO KEY UPDATE SKIP LOCKED
)
SELECT partition_key, execution_id FROM due
UNION ALL
SELECT partition_key, execution_id FROM submitted
LIMIT $3;
