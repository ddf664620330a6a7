-- $1: as of, $2: namespace, $3: cursor's expiry, $4: cursor's execution as text, $5: limit
SELECT
    e.partition_key, e.execution_id, a.attempt_index AS a_attempt_index, a.worker_id AS a_worker_id,
    a.worker_instance_id AS a_worker_instance_id, a.lease_epoch AS a_lease_epoch,
    a.lease_expires_at_ms AS a_lease_expires_at_ms, a.started_at_ms AS a_started_at_ms,
    a.terminal_at_ms AS a_terminal_at_ms, a.outcome AS a_outcome, a.error::text AS a_error,
    a.progress::text AS a_progress
FROM ff_exec_core AS e
JOIN ff_attempt AS a
    ON a.partition_key = ANY (ARRAY[e.partition_key])
    AND a.execution_id = e.execution_id
    AND a.attempt_index = e.attempt_index
CROSS JOIN LATERAL (
    SELECT format('{fp:%s}:%s', e.partition_key, e.execution_id) COLLATE "C" AS id
) AS text
WHERE e.lifecycle_phase = 'active'
    AND a.outcome IS NULL
    AND a.terminal_at_ms IS NULL
    AND a.lease_expires_at_ms <= $1
    AND a.worker_instance_id IS NOT NULL
    AND ($2::text IS NULL OR e.namespace = $2)
    AND ($3::bigint IS NULL OR (a.lease_expires_at_ms, text.id) > ($3, $4::text))
ORDER BY a.lease_expires_at_ms, text.id
LIMIT $5;
