-- $1: JSON array of attempt states
INSERT INTO ff_attempt (
    partition_key, execution_id, attempt_index, worker_id, worker_instance_id, lease_epoch,
    lease_expires_at_ms, started_at_ms, terminal_at_ms, outcome, error, progress
)
SELECT
    item.value ->> 'partition_key',
    unhex(item.value ->> 'execution_id', '-'),
    item.value ->> 'attempt_index',
    item.value ->> 'worker_id',
    item.value ->> 'worker_instance_id',
    item.value ->> 'lease_epoch',
    item.value ->> 'lease_expires_at_ms',
    item.value ->> 'started_at_ms',
    item.value ->> 'terminal_at_ms',
    item.value ->> 'outcome',
    nullif(item.value -> 'error', 'null'),
    nullif(item.value -> 'progress', 'null')
FROM json_each($1) AS item
WHERE true
ON CONFLICT (partition_key, execution_id, attempt_index) DO UPDATE
SET worker_id = excluded.worker_id,
    worker_instance_id = excluded.worker_instance_id,
    lease_epoch = excluded.lease_epoch,
    lease_expires_at_ms = excluded.lease_expires_at_ms,
    started_at_ms = excluded.started_at_ms,
    terminal_at_ms = excluded.terminal_at_ms,
    outcome = excluded.outcome,
    error = excluded.error,
    progress = excluded.progress;
