-- $1: JSON array of execution states
UPDATE ff_exec_core AS e
SET attempt_index = item.value ->> 'attempt_index',
    lifecycle_phase = item.value ->> 'lifecycle_phase',
    ownership_state = item.value ->> 'ownership_state',
    eligibility_state = item.value ->> 'eligibility_state',
    public_state = item.value ->> 'public_state',
    attempt_state = item.value ->> 'attempt_state',
    blocking_reason = item.value ->> 'blocking_reason',
    cancellation_reason = item.value ->> 'cancellation_reason',
    cancelled_by = item.value ->> 'cancelled_by',
    priority = item.value ->> 'priority',
    started_at_ms = item.value ->> 'started_at_ms',
    terminal_at_ms = item.value ->> 'terminal_at_ms',
    eligible_at_ms = item.value ->> 'eligible_at_ms',
    deadline_at_ms = item.value ->> 'deadline_at_ms',
    retry_count = item.value ->> 'retry_count',
    reclaim_count = item.value ->> 'reclaim_count',
    raw_fields = CASE
        WHEN coalesce(e.raw_fields ->> 'replay_count', 0) = item.value ->> 'replay_count'
            THEN e.raw_fields
        ELSE json_set(e.raw_fields, '$.replay_count', item.value ->> 'replay_count')
    END,
    result = CASE
        WHEN item.value ->> 'keep_result' THEN e.result
        ELSE unhex(item.value ->> 'result')
    END
FROM json_each($1) AS item
WHERE e.partition_key = item.value ->> 'partition_key'
    AND e.execution_id = unhex(item.value ->> 'execution_id', '-');
