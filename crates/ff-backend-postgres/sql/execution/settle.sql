-- Arrays of execution and attempt states, each for rows of certain versions: $1: partitions, $2: executions,
-- $3: versions, $4: attempt indexes, $5: attempt versions, $6: next attempt indexes, $7: lifecycle phases,
-- $8: ownership states, $9: eligibility states, $10: public states, $11: attempt states, $12: blocking
-- reasons, $13: cancellation reasons, $14: cancelled by, $15: ends, $16: eligible times, $17: retry
-- counts, $18: whether the result stays, $19: results, $20: lease expiries, $21: attempt ends,
-- $22: outcomes, $23: errors, $24: progress, $25: lease events or null, $26: completion events or null;
-- $27: now, $28: instance tag
WITH item AS MATERIALIZED (
    SELECT *
    FROM unnest(
        $1::bigint[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
        $15::bigint[], $16::bigint[], $17::bigint[], $18::boolean[], $19::bytea[], $20::bigint[],
        $21::bigint[], $22::text[], $23::text[], $24::text[], $25::text[], $26::text[]
    ) AS item (
        partition_key, execution_id, version, attempt_index, attempt_version, next_attempt_index,
        lifecycle_phase, ownership_state, eligibility_state, public_state, attempt_state,
        blocking_reason, cancellation_reason, cancelled_by, terminal_at_ms, eligible_at_ms, retry_count,
        keep_result, result, lease_expires_at_ms, attempt_terminal_at_ms, outcome, error, progress,
        lease_event, completion_event
    )
),
held AS MATERIALIZED (
    -- By a plain equality the planner reads all attempts as long as it believes that there are none.
    SELECT e.ctid AS execution_row_id, a.ctid AS attempt_row_id, item.*
    FROM item
    JOIN ff_exec_core AS e
        ON e.partition_key = ANY (ARRAY[item.partition_key]) AND e.execution_id = item.execution_id
    JOIN ff_attempt AS a
        ON a.partition_key = ANY (ARRAY[item.partition_key])
        AND a.execution_id = item.execution_id
        AND a.attempt_index = item.attempt_index
    WHERE e.xmin = item.version::text::xid AND a.xmin = item.attempt_version::text::xid
    ORDER BY e.execution_id, e.partition_key
    FOR NO KEY UPDATE OF e, a
),
-- The rows are locked, so they stay where they are. One that changed just before it was locked is not seen
-- there, and left to be loaded again with what belongs to it. Where a table has partitions, several rows are at
-- one place.
unchanged AS MATERIALIZED (
    SELECT held.*
    FROM held
    JOIN ff_exec_core AS e
        ON e.ctid = held.execution_row_id
        AND e.partition_key = held.partition_key
        AND e.execution_id = held.execution_id
    JOIN ff_attempt AS a
        ON a.ctid = held.attempt_row_id
        AND a.partition_key = held.partition_key
        AND a.execution_id = held.execution_id
),
settled AS (
    UPDATE ff_exec_core AS e
    SET attempt_index = item.next_attempt_index,
        lifecycle_phase = item.lifecycle_phase,
        ownership_state = item.ownership_state,
        eligibility_state = item.eligibility_state,
        public_state = item.public_state,
        attempt_state = item.attempt_state,
        blocking_reason = item.blocking_reason,
        cancellation_reason = item.cancellation_reason,
        cancelled_by = item.cancelled_by,
        terminal_at_ms = item.terminal_at_ms,
        eligible_at_ms = item.eligible_at_ms,
        retry_count = item.retry_count,
        result = CASE
            WHEN item.keep_result THEN e.result
            ELSE item.result
        END
    FROM unchanged AS item
    WHERE e.ctid = item.execution_row_id
        AND e.partition_key = item.partition_key
        AND e.execution_id = item.execution_id
    RETURNING
        e.partition_key, e.execution_id, e.flow_id, e.namespace, e.tags, item.lease_event,
        item.completion_event
),
ended AS (
    UPDATE ff_attempt AS a
    SET lease_expires_at_ms = item.lease_expires_at_ms,
        terminal_at_ms = item.attempt_terminal_at_ms,
        outcome = item.outcome,
        error = item.error::jsonb,
        progress = item.progress::jsonb
    FROM unchanged AS item
    WHERE a.ctid = item.attempt_row_id
        AND a.partition_key = item.partition_key
        AND a.execution_id = item.execution_id
),
lease_events AS (
    INSERT INTO ff_lease_event (
        partition_key, execution_id, event_type, occurred_at_ms, namespace, instance_tag
    )
    SELECT partition_key, execution_id::text, lease_event, $27, namespace, tags ->> $28
    FROM settled
    WHERE lease_event IS NOT NULL
),
completion_events AS (
    INSERT INTO ff_completion_event (
        partition_key, execution_id, flow_id, outcome, occurred_at_ms, namespace, instance_tag
    )
    SELECT partition_key, execution_id, flow_id, completion_event, $27, namespace, tags ->> $28
    FROM settled
    WHERE completion_event IS NOT NULL
)
SELECT partition_key, execution_id FROM settled;
