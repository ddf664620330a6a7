-- Arrays of events: $1: partitions, $2: executions, $3: types, $4: times; $5: instance tag
INSERT INTO ff_lease_event (
    partition_key, execution_id, event_type, occurred_at_ms, namespace, instance_tag
)
SELECT
    e.partition_key,
    item.execution_id::text,
    item.name,
    item.occurred_at_ms,
    e.namespace,
    e.tags ->> $5
FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::bigint[])
    AS item (partition_key, execution_id, name, occurred_at_ms)
JOIN ff_exec_core AS e
    ON e.partition_key = ANY (ARRAY[item.partition_key]) AND e.execution_id = item.execution_id;
