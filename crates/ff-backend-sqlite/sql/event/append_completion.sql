-- $1: JSON array of events, $2: path of the instance tag
INSERT INTO ff_completion_event (
    partition_key, execution_id, flow_id, outcome, occurred_at_ms, namespace, instance_tag
)
SELECT
    e.partition_key,
    e.execution_id,
    e.flow_id,
    item.value ->> 'name',
    item.value ->> 'occurred_at_ms',
    e.namespace,
    CASE WHEN json_valid(e.tags) THEN e.tags ->> $2 END
FROM json_each($1) AS item
CROSS JOIN ff_exec_core AS e
WHERE e.partition_key = item.value ->> 'partition_key'
    AND e.execution_id = unhex(item.value ->> 'execution_id', '-');
