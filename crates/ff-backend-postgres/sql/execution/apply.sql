-- Arrays of execution states: $1: partitions, $2: executions, $3: attempt indexes, $4: lifecycle phases,
-- $5: ownership states, $6: eligibility states, $7: public states, $8: attempt states, $9: blocking
-- reasons, $10: cancellation reasons, $11: cancelled by, $12: priorities, $13: starts, $14: ends,
-- $15: eligible times, $16: deadlines, $17: retry counts, $18: reclaim counts, $19: replay counts,
-- $20: whether the result stays, $21: results
UPDATE ff_exec_core AS e
SET attempt_index = item.attempt_index,
    lifecycle_phase = item.lifecycle_phase,
    ownership_state = item.ownership_state,
    eligibility_state = item.eligibility_state,
    public_state = item.public_state,
    attempt_state = item.attempt_state,
    blocking_reason = item.blocking_reason,
    cancellation_reason = item.cancellation_reason,
    cancelled_by = item.cancelled_by,
    priority = item.priority,
    started_at_ms = item.started_at_ms,
    terminal_at_ms = item.terminal_at_ms,
    eligible_at_ms = item.eligible_at_ms,
    deadline_at_ms = item.deadline_at_ms,
    retry_count = item.retry_count,
    reclaim_count = item.reclaim_count,
    raw_fields = CASE
        WHEN coalesce((e.raw_fields ->> 'replay_count')::bigint, 0) = item.replay_count
            THEN e.raw_fields
        ELSE jsonb_set(e.raw_fields, '{replay_count}', to_jsonb(item.replay_count))
    END,
    result = CASE
        WHEN item.keep_result THEN e.result
        ELSE item.result
    END
FROM unnest(
    $1::bigint[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[],
    $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::boolean[],
    $21::bytea[]
) AS item (
    partition_key, execution_id, attempt_index, lifecycle_phase, ownership_state, eligibility_state,
    public_state, attempt_state, blocking_reason, cancellation_reason, cancelled_by, priority,
    started_at_ms, terminal_at_ms, eligible_at_ms, deadline_at_ms, retry_count, reclaim_count,
    replay_count, keep_result, result
)
WHERE e.partition_key = ANY (ARRAY[item.partition_key]) AND e.execution_id = item.execution_id;
