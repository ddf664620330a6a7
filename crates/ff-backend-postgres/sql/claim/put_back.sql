-- Arrays of leases given just now: $1: partitions, $2: executions, $3: attempt indexes, $4: lease epochs,
-- $5: what is wrong; $6: now, $7: instance tag
WITH held AS MATERIALIZED (
    SELECT e.partition_key, e.execution_id, a.attempt_index, item.reason
    FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[])
        AS item (partition_key, execution_id, attempt_index, lease_epoch, reason)
    JOIN ff_exec_core AS e
        ON e.partition_key = item.partition_key AND e.execution_id = item.execution_id
    JOIN ff_attempt AS a
        ON a.partition_key = item.partition_key
        AND a.execution_id = item.execution_id
        AND a.attempt_index = item.attempt_index
    WHERE e.attempt_index = item.attempt_index
        -- Written so that no index but the key's serves it.
        AND coalesce(e.lifecycle_phase) = 'active'
        AND a.lease_epoch = item.lease_epoch
        AND a.outcome IS NULL
    ORDER BY e.execution_id, e.partition_key
    FOR NO KEY UPDATE OF e, a
),
blocked AS (
    UPDATE ff_exec_core AS e
    SET lifecycle_phase = 'runnable',
        ownership_state = 'unowned',
        eligibility_state = 'blocked_by_operator',
        public_state = 'waiting',
        attempt_state = 'attempt_interrupted',
        blocking_reason = held.reason,
        attempt_index = e.attempt_index + 1
    FROM held
    WHERE e.partition_key = held.partition_key AND e.execution_id = held.execution_id
    RETURNING e.partition_key, e.execution_id, e.namespace, e.tags
),
released AS (
    UPDATE ff_attempt AS a
    SET outcome = 'released', terminal_at_ms = $6, lease_expires_at_ms = NULL
    FROM held
    WHERE a.partition_key = held.partition_key
        AND a.execution_id = held.execution_id
        AND a.attempt_index = held.attempt_index
)
INSERT INTO ff_lease_event (
    partition_key, execution_id, event_type, occurred_at_ms, namespace, instance_tag
)
SELECT partition_key, execution_id::text, 'released', $6, namespace, tags ->> $7
FROM blocked;
