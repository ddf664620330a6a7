-- Arrays of leases with results: $1: partitions, $2: executions, $3: attempt indexes, $4: lease epochs,
-- $5: worker instances, $6: results; $7: now, $8: instance tag
WITH held AS MATERIALIZED (
    -- By a plain equality the planner reads all attempts as long as it believes that there are none.
    SELECT e.ctid AS execution_row_id, a.ctid AS attempt_row_id, e.partition_key, e.execution_id,
        item.lease_epoch, item.worker_instance_id, item.result
    FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::bytea[])
        AS item (
            partition_key, execution_id, attempt_index, lease_epoch, worker_instance_id, result
        )
    JOIN ff_exec_core AS e
        ON e.partition_key = ANY (ARRAY[item.partition_key]) AND e.execution_id = item.execution_id
    JOIN ff_attempt AS a
        ON a.partition_key = ANY (ARRAY[item.partition_key])
        AND a.execution_id = item.execution_id
        AND a.attempt_index = item.attempt_index
    WHERE e.attempt_index = item.attempt_index
        -- Written so that no index but the key's serves it.
        AND coalesce(e.lifecycle_phase) = 'active'
        AND a.lease_epoch = item.lease_epoch
        AND a.worker_instance_id = item.worker_instance_id
        AND a.outcome IS NULL
        AND a.lease_expires_at_ms > $7
    ORDER BY e.execution_id, e.partition_key
    FOR NO KEY UPDATE OF e
),
-- The executions are locked, so they stay where they are. One that changed just before it was locked is not seen
-- there, nor below is an attempt that changed since it was read: they are left to the rule with what belongs to
-- them. Where a table has partitions, several rows are at one place.
unchanged AS MATERIALIZED (
    SELECT held.*
    FROM held
    JOIN ff_exec_core AS e
        ON e.ctid = held.execution_row_id
        AND e.partition_key = held.partition_key
        AND e.execution_id = held.execution_id
),
succeeded AS (
    UPDATE ff_attempt AS a
    SET outcome = 'success', terminal_at_ms = $7, lease_expires_at_ms = NULL
    FROM unchanged
    WHERE a.ctid = unchanged.attempt_row_id
        AND a.partition_key = unchanged.partition_key
        AND a.execution_id = unchanged.execution_id
        -- Asked again, because a server without PostgreSQL's fix of 2025 "Fix missing EvalPlanQual recheck for
        -- TID scans" takes what the attempt has become for what was there.
        AND a.lease_epoch = unchanged.lease_epoch
        AND a.worker_instance_id = unchanged.worker_instance_id
        AND a.outcome IS NULL
        AND a.lease_expires_at_ms > $7
    RETURNING unchanged.execution_row_id, a.partition_key, a.execution_id, unchanged.result
),
completed AS (
    UPDATE ff_exec_core AS e
    SET lifecycle_phase = 'terminal',
        ownership_state = 'unowned',
        eligibility_state = 'not_applicable',
        public_state = 'completed',
        attempt_state = 'attempt_terminal',
        blocking_reason = NULL,
        eligible_at_ms = NULL,
        terminal_at_ms = $7,
        result = succeeded.result
    FROM succeeded
    WHERE e.ctid = succeeded.execution_row_id
        AND e.partition_key = succeeded.partition_key
        AND e.execution_id = succeeded.execution_id
    RETURNING e.partition_key, e.execution_id, e.flow_id, e.namespace, e.tags
),
announced AS (
    INSERT INTO ff_completion_event (
        partition_key, execution_id, flow_id, outcome, occurred_at_ms, namespace, instance_tag
    )
    SELECT partition_key, execution_id, flow_id, 'success', $7, namespace, tags ->> $8
    FROM completed
)
SELECT partition_key, execution_id FROM completed;
