-- Arrays: $1: partitions, $2: executions
SELECT e.partition_key, e.execution_id
FROM unnest($1::bigint[], $2::uuid[]) AS item (partition_key, execution_id)
JOIN ff_exec_core AS e
    ON e.partition_key = ANY (ARRAY[item.partition_key]) AND e.execution_id = item.execution_id
ORDER BY e.execution_id, e.partition_key
FOR NO KEY UPDATE OF e;
