-- Arrays of attempt states: $1: partitions, $2: executions, $3: attempt indexes, $4: workers, $5: worker
-- instances, $6: lease epochs, $7: lease expiries, $8: starts, $9: ends, $10: outcomes, $11: errors,
-- $12: progress
INSERT INTO ff_attempt (
    partition_key, execution_id, attempt_index, worker_id, worker_instance_id, lease_epoch,
    lease_expires_at_ms, started_at_ms, terminal_at_ms, outcome, error, progress
)
SELECT
    item.partition_key,
    item.execution_id,
    item.attempt_index,
    item.worker_id,
    item.worker_instance_id,
    item.lease_epoch,
    item.lease_expires_at_ms,
    item.started_at_ms,
    item.terminal_at_ms,
    item.outcome,
    item.error::jsonb,
    item.progress::jsonb
FROM unnest(
    $1::bigint[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
    $8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::text[]
) AS item (
    partition_key, execution_id, attempt_index, worker_id, worker_instance_id, lease_epoch,
    lease_expires_at_ms, started_at_ms, terminal_at_ms, outcome, error, progress
)
ORDER BY item.execution_id, item.partition_key
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
