-- $1: partition, $2: execution
SELECT
    e.partition_key, e.execution_id,
    a.attempt_index AS a_attempt_index, a.worker_id AS a_worker_id,
    a.worker_instance_id AS a_worker_instance_id, a.lease_epoch AS a_lease_epoch,
    a.lease_expires_at_ms AS a_lease_expires_at_ms, a.started_at_ms AS a_started_at_ms,
    a.terminal_at_ms AS a_terminal_at_ms, a.outcome AS a_outcome, a.error::text AS a_error,
    a.progress::text AS a_progress
FROM ff_exec_core AS e
LEFT JOIN ff_attempt AS a ON a.partition_key = e.partition_key AND a.execution_id = e.execution_id
WHERE e.partition_key = $1 AND e.execution_id = $2
ORDER BY a.attempt_index;
