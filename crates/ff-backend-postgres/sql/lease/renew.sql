-- Arrays of leases: $1: partitions, $2: executions, $3: attempt indexes, $4: lease epochs, $5: worker
-- instances, $6: expiries when renewed; $7: now
WITH held AS MATERIALIZED (
    -- By a plain equality the planner reads all attempts as long as it believes that there are none.
    SELECT a.ctid AS row_id, a.partition_key, a.execution_id, item.lease_expires_at_ms
    FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[])
        AS item (
            partition_key, execution_id, attempt_index, lease_epoch, worker_instance_id,
            lease_expires_at_ms
        )
    JOIN ff_exec_core AS e
        ON e.partition_key = ANY (ARRAY[item.partition_key]) AND e.execution_id = item.execution_id
    JOIN ff_attempt AS a
        ON a.partition_key = ANY (ARRAY[item.partition_key])
        AND a.execution_id = item.execution_id
        AND a.attempt_index = item.attempt_index
    WHERE e.attempt_index = item.attempt_index
        -- Written so that no index but the key's serves it.
        AND coalesce(e.lifecycle_phase) = 'active'
        AND a.lease_epoch = item.lease_epoch
        AND a.worker_instance_id = item.worker_instance_id
        AND a.outcome IS NULL
        AND a.lease_expires_at_ms > $7
    ORDER BY a.execution_id, a.partition_key
    FOR NO KEY UPDATE OF a
)
UPDATE ff_attempt AS a
SET lease_expires_at_ms = held.lease_expires_at_ms
FROM held
-- The row is locked, so it stays where it is. One that changed just before is left to the rule.
WHERE a.ctid = held.row_id
    AND a.partition_key = held.partition_key
    AND a.execution_id = held.execution_id
RETURNING a.partition_key, a.execution_id, a.lease_expires_at_ms;
