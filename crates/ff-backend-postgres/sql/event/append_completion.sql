-- Arrays of events: $1: partitions, $2: executions, $3: outcomes, $4: times; $5: instance tag
INSERT INTO ff_completion_event (
    partition_key, execution_id, flow_id, outcome, occurred_at_ms, namespace, instance_tag
)
SELECT
    e.partition_key,
    e.execution_id,
    e.flow_id,
    item.name,
    item.occurred_at_ms,
    e.namespace,
    e.tags ->> $5
FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::bigint[])
    AS item (partition_key, execution_id, name, occurred_at_ms)
JOIN ff_exec_core AS e
    ON e.partition_key = ANY (ARRAY[item.partition_key]) AND e.execution_id = item.execution_id;
