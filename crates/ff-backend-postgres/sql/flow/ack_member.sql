-- Arrays of members whose flows' backlogs are locked: $1: partitions, $2: flows, $3: executions
-- In the order in which trimming removes them.
WITH held AS MATERIALIZED (
    SELECT m.partition_key, m.flow_id, m.execution_id
    FROM unnest($1::bigint[], $2::uuid[], $3::uuid[])
        AS item (partition_key, flow_id, execution_id)
    JOIN ff_cancel_backlog_member AS m
        ON m.partition_key = item.partition_key
        AND m.flow_id = item.flow_id
        AND m.execution_id = item.execution_id
    ORDER BY m.execution_id, m.partition_key, m.flow_id
    FOR UPDATE OF m
)
DELETE FROM ff_cancel_backlog_member AS m
USING held
WHERE m.partition_key = held.partition_key
    AND m.flow_id = held.flow_id
    AND m.execution_id = held.execution_id;
