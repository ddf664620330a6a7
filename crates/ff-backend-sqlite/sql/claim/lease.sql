-- Of all three statements, rows of executions that were picked just now. Of this one: now before them
UPDATE ff_exec_core
SET lifecycle_phase = 'active',
    ownership_state = 'leased',
    eligibility_state = 'not_applicable',
    public_state = 'running',
    attempt_state = 'running_attempt',
    blocking_reason = NULL,
    eligible_at_ms = NULL,
    started_at_ms = coalesce(started_at_ms, ?)
WHERE rowid IN (VALUES (?));

-- Now before them; with each its worker, worker instance, lease epoch and lease expiry
INSERT INTO ff_attempt (
    partition_key, execution_id, attempt_index, started_at_ms, worker_id, worker_instance_id,
    lease_epoch, lease_expires_at_ms
)
SELECT
    e.partition_key, e.execution_id, e.attempt_index, ?, item.column2, item.column3, item.column4,
    item.column5
FROM (VALUES (?, ?, ?, ?, ?)) AS item
CROSS JOIN ff_exec_core AS e ON e.rowid = item.column1
WHERE true
ON CONFLICT (partition_key, execution_id, attempt_index) DO UPDATE
SET worker_id = excluded.worker_id,
    worker_instance_id = excluded.worker_instance_id,
    lease_epoch = excluded.lease_epoch,
    lease_expires_at_ms = excluded.lease_expires_at_ms,
    started_at_ms = excluded.started_at_ms,
    terminal_at_ms = NULL,
    outcome = NULL,
    error = NULL,
    progress = NULL;

-- Now and the path of the instance tag before them; with each its execution as text
INSERT INTO ff_lease_event (
    partition_key, event_type, occurred_at_ms, namespace, instance_tag, execution_id
)
SELECT
    e.partition_key,
    'acquired',
    ?,
    e.namespace,
    CASE WHEN json_valid(e.tags) THEN e.tags ->> ? END,
    item.column2
FROM (VALUES (?, ?)) AS item
CROSS JOIN ff_exec_core AS e ON e.rowid = item.column1;
