-- Arrays, of executions that this transaction has locked: $1: partitions, $2: executions, $3: attempt
-- indexes; null means the current attempt
SELECT
    e.position - 1 AS position,
    e.partition_key, e.execution_id, e.flow_id, e.lane_id, e.namespace, e.execution_kind,
    e.creator_identity, e.tags::text AS tags, e.policy::text AS policy, e.priority, e.created_at_ms,
    e.deadline_at_ms,
    e.lifecycle_phase, e.ownership_state, e.eligibility_state, e.attempt_state, e.public_state,
    e.blocking_reason, e.cancellation_reason, e.cancelled_by, e.started_at_ms, e.terminal_at_ms,
    e.eligible_at_ms, e.retry_count, e.reclaim_count, e.attempt_index,
    e.raw_fields::text AS raw_fields,
    a.attempt_index AS a_attempt_index, a.worker_id AS a_worker_id,
    a.worker_instance_id AS a_worker_instance_id, a.lease_epoch AS a_lease_epoch,
    a.lease_expires_at_ms AS a_lease_expires_at_ms, a.started_at_ms AS a_started_at_ms,
    a.terminal_at_ms AS a_terminal_at_ms, a.outcome AS a_outcome, a.error::text AS a_error,
    a.progress::text AS a_progress,
    e.result
FROM (
    SELECT item.position, coalesce(item.attempt_index, stored.attempt_index) AS wanted_index, stored.*
    FROM unnest($1::bigint[], $2::uuid[], $3::bigint[]) WITH ORDINALITY
        AS item (partition_key, execution_id, attempt_index, position)
    JOIN ff_exec_core AS stored
        ON stored.partition_key = ANY (ARRAY[item.partition_key])
        AND stored.execution_id = item.execution_id
    ORDER BY stored.execution_id, stored.partition_key
) AS e
LEFT JOIN LATERAL (
    SELECT * FROM ff_attempt AS held
    WHERE held.partition_key = e.partition_key
        AND held.execution_id = e.execution_id
        AND held.attempt_index = e.wanted_index
    FOR NO KEY UPDATE
) AS a ON true;
