-- Arrays, of executions that were not stored because they, or their idempotency key, were there:
-- $1: partitions, $2: executions, $3: namespaces, $4: lanes, $5: idempotency keys
SELECT
    item.position - 1 AS position,
    coalesce(e.partition_key, k.partition_key) AS partition_key,
    coalesce(e.execution_id, k.execution_id) AS execution_id
FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
    AS item (partition_key, execution_id, namespace, lane_id, idempotency_key, position)
-- With an offset the planner cannot make it anything but a probe of the key.
LEFT JOIN LATERAL (
    SELECT stored.partition_key, stored.execution_id
    FROM ff_exec_core AS stored
    WHERE stored.partition_key = item.partition_key AND stored.execution_id = item.execution_id
    OFFSET 0
) AS e ON true
LEFT JOIN ff_idempotency AS k
    ON k.namespace = ANY (ARRAY[item.namespace])
    AND k.lane_id = item.lane_id
    AND k.idempotency_key = item.idempotency_key
WHERE e.execution_id IS NOT NULL OR k.execution_id IS NOT NULL;
