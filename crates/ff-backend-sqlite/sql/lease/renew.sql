-- $1: JSON array of leases, $2: now
-- Every look into a document reads it from its beginning.
WITH item AS MATERIALIZED (
    SELECT
        value ->> 'partition_key' AS partition_key,
        unhex(value ->> 'execution_id', '-') AS execution_id,
        value ->> 'attempt_index' AS attempt_index,
        value ->> 'lease_epoch' AS lease_epoch,
        value ->> 'worker_instance_id' AS worker_instance_id,
        value ->> 'lease_expires_at_ms' AS lease_expires_at_ms
    FROM json_each($1)
)
UPDATE ff_attempt AS a
SET lease_expires_at_ms = item.lease_expires_at_ms
FROM item
CROSS JOIN ff_exec_core AS e
    ON e.partition_key = item.partition_key AND e.execution_id = item.execution_id
WHERE e.attempt_index = item.attempt_index
    AND e.lifecycle_phase = 'active'
    AND a.partition_key = item.partition_key
    AND a.execution_id = item.execution_id
    AND a.attempt_index = item.attempt_index
    AND a.lease_epoch = item.lease_epoch
    AND a.worker_instance_id = item.worker_instance_id
    AND a.outcome IS NULL
    AND a.lease_expires_at_ms > $2
RETURNING partition_key, execution_id, lease_expires_at_ms;
