-- $1: as of, $2: namespace, $3: cursor's expiry, $4: cursor's partition, $5: cursor's execution, $6: limit
-- By the texts of the ids: what follows a partition there comes after every digit.
SELECT
    a.partition_key, a.execution_id,
    a.attempt_index AS a_attempt_index, a.worker_id AS a_worker_id,
    a.worker_instance_id AS a_worker_instance_id, a.lease_epoch AS a_lease_epoch,
    a.lease_expires_at_ms AS a_lease_expires_at_ms, a.started_at_ms AS a_started_at_ms,
    a.terminal_at_ms AS a_terminal_at_ms, a.outcome AS a_outcome, a.error AS a_error,
    a.progress AS a_progress
FROM ff_attempt AS a INDEXED BY ff_attempt_open
CROSS JOIN ff_exec_core AS e
WHERE e.partition_key = a.partition_key
    AND e.execution_id = a.execution_id
    AND a.outcome IS NULL
    AND a.terminal_at_ms IS NULL
    AND a.lease_expires_at_ms <= $1
    AND a.lease_expires_at_ms >= coalesce($3, -9223372036854775808)
    AND (
        $3 IS NULL
        OR (a.lease_expires_at_ms, a.partition_key || '}', a.execution_id) > ($3, $4 || '}', $5)
    )
    AND a.worker_instance_id IS NOT NULL
    AND e.lifecycle_phase = 'active'
    AND e.attempt_index = a.attempt_index
    AND ($2 IS NULL OR e.namespace = $2)
ORDER BY a.lease_expires_at_ms, a.partition_key || '}', a.execution_id
LIMIT ($6 + 0);
