-- $1: JSON array of events, $2: path of the instance tag
INSERT INTO ff_operator_event (
    partition_key, execution_id, event_type, details, occurred_at_ms, namespace, instance_tag
)
SELECT
    e.partition_key,
    item.value ->> 'execution_id',
    item.value ->> 'name',
    nullif(item.value -> 'details', 'null'),
    item.value ->> 'occurred_at_ms',
    e.namespace,
    CASE WHEN json_valid(e.tags) THEN e.tags ->> $2 END
FROM json_each($1) AS item
CROSS JOIN ff_exec_core AS e
WHERE e.partition_key = item.value ->> 'partition_key'
    AND e.execution_id = unhex(item.value ->> 'execution_id', '-');
