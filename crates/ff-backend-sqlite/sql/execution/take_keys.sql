-- $1: JSON array of new executions that have an idempotency key
INSERT INTO ff_idempotency (namespace, lane_id, idempotency_key, partition_key, execution_id)
SELECT
    item.value ->> 'namespace',
    item.value ->> 'lane_id',
    item.value ->> 'idempotency_key',
    item.value ->> 'partition_key',
    unhex(item.value ->> 'execution_id', '-')
FROM json_each($1) AS item
WHERE NOT EXISTS (
    SELECT 1 FROM ff_exec_core AS e
    WHERE e.partition_key = item.value ->> 'partition_key'
        AND e.execution_id = unhex(item.value ->> 'execution_id', '-')
)
ON CONFLICT DO NOTHING
RETURNING partition_key, execution_id;
