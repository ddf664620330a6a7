-- $1: JSON array of rows that were picked just now, each with the place of who claims it in the JSON arrays
-- of $3: workers, $4: worker instances, $5: lease expiries; $2: now, $6: path of the instance tag
UPDATE ff_exec_core
SET lifecycle_phase = 'active',
    ownership_state = 'leased',
    eligibility_state = 'not_applicable',
    public_state = 'running',
    attempt_state = 'running_attempt',
    blocking_reason = NULL,
    eligible_at_ms = NULL,
    started_at_ms = coalesce(started_at_ms, $2)
WHERE rowid IN (SELECT value ->> 0 FROM json_each($1));

INSERT INTO ff_attempt (
    partition_key, execution_id, attempt_index, worker_id, worker_instance_id, lease_epoch,
    lease_expires_at_ms, started_at_ms
)
SELECT
    e.partition_key,
    e.execution_id,
    e.attempt_index,
    $3 ->> (item.value ->> 1),
    $4 ->> (item.value ->> 1),
    1,
    $5 ->> (item.value ->> 1),
    $2
FROM json_each($1) AS item
CROSS JOIN ff_exec_core AS e ON e.rowid = item.value ->> 0
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
    progress = NULL;

INSERT INTO ff_lease_event (
    partition_key, execution_id, event_type, occurred_at_ms, namespace, instance_tag
)
SELECT
    e.partition_key,
    lower(
        substr(hex(e.execution_id), 1, 8) || '-' || substr(hex(e.execution_id), 9, 4) || '-'
        || substr(hex(e.execution_id), 13, 4) || '-' || substr(hex(e.execution_id), 17, 4) || '-'
        || substr(hex(e.execution_id), 21)
    ),
    'acquired',
    $2,
    e.namespace,
    CASE WHEN json_valid(e.tags) THEN e.tags ->> $6 END
FROM json_each($1) AS item
CROSS JOIN ff_exec_core AS e ON e.rowid = item.value ->> 0;
