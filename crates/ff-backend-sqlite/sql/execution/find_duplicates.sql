-- $1: JSON array of executions that were not stored because they, or their idempotency key, were there
SELECT
    item.key AS position,
    coalesce(e.partition_key, k.partition_key) AS partition_key,
    coalesce(e.execution_id, k.execution_id) AS execution_id
FROM json_each($1) AS item
LEFT JOIN ff_exec_core AS e
    ON e.partition_key = item.value ->> 'partition_key'
    AND e.execution_id = unhex(item.value ->> 'execution_id', '-')
LEFT JOIN ff_idempotency AS k
    ON k.namespace = item.value ->> 'namespace'
    AND k.lane_id = item.value ->> 'lane_id'
    AND k.idempotency_key = item.value ->> 'idempotency_key'
WHERE e.execution_id IS NOT NULL OR k.execution_id IS NOT NULL;
