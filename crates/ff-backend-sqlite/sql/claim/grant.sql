-- $1: JSON array of attempts whose executions were claimed just now
INSERT INTO ff_attempt (
    partition_key, execution_id, attempt_index, worker_id, worker_instance_id, lease_epoch,
    lease_expires_at_ms, started_at_ms
)
SELECT
    item.value ->> 'partition_key',
    unhex(item.value ->> 'execution_id', '-'),
    item.value ->> 'attempt_index',
    item.value ->> 'worker_id',
    item.value ->> 'worker_instance_id',
    1,
    item.value ->> 'lease_expires_at_ms',
    item.value ->> 'started_at_ms'
FROM json_each($1) AS item
WHERE true
ON CONFLICT (partition_key, execution_id, attempt_index) DO UPDATE
SET worker_id = excluded.worker_id,
    worker_instance_id = excluded.worker_instance_id,
    lease_epoch = lease_epoch + 1,
    lease_expires_at_ms = excluded.lease_expires_at_ms,
    started_at_ms = excluded.started_at_ms,
    terminal_at_ms = NULL,
    outcome = NULL,
    error = NULL,
    progress = NULL
RETURNING partition_key, execution_id, lease_epoch;
