-- $1: JSON array of leases, $2: now
UPDATE ff_attempt AS a
SET lease_expires_at_ms = item.value ->> 'lease_expires_at_ms'
FROM json_each($1) AS item
CROSS JOIN ff_exec_core AS e
WHERE e.partition_key = item.value ->> 'partition_key'
    AND e.execution_id = unhex(item.value ->> 'execution_id', '-')
    AND e.attempt_index = item.value ->> 'attempt_index'
    AND e.lifecycle_phase = 'active'
    AND a.partition_key = item.value ->> 'partition_key'
    AND a.execution_id = unhex(item.value ->> 'execution_id', '-')
    AND a.attempt_index = item.value ->> 'attempt_index'
    AND a.lease_epoch = item.value ->> 'lease_epoch'
    AND a.worker_instance_id = item.value ->> 'worker_instance_id'
    AND a.outcome IS NULL
    AND a.lease_expires_at_ms > $2
RETURNING partition_key, execution_id, lease_expires_at_ms;
