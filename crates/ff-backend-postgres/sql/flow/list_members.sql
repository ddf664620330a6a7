-- $1: flow, $2: cursor's execution, $3: cursor's partition, $4: limit
SELECT
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
    a.progress::text AS a_progress
FROM (
    SELECT * FROM ff_exec_core AS m
    WHERE m.flow_id = $1
        AND (m.execution_id, m.partition_key) > ($2::uuid, $3::bigint)
    ORDER BY m.execution_id, m.partition_key
    LIMIT $4
) AS e
LEFT JOIN ff_attempt AS a
    ON a.partition_key = ANY (ARRAY[e.partition_key])
    AND a.execution_id = e.execution_id
    AND a.attempt_index = e.attempt_index
ORDER BY e.execution_id, e.partition_key;
