-- Arrays of keys: $1: partitions, $2: executions
WITH item AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::uuid[]) AS item (partition_key, execution_id)
),
executions AS (
    DELETE FROM ff_exec_core AS t USING item
    WHERE t.partition_key = item.partition_key AND t.execution_id = item.execution_id
),
attempts AS (
    DELETE FROM ff_attempt AS t USING item
    WHERE t.partition_key = item.partition_key AND t.execution_id = item.execution_id
),
keys AS (
    DELETE FROM ff_idempotency AS t USING item
    WHERE t.execution_id = item.execution_id AND t.partition_key = item.partition_key
),
lease_events AS (
    DELETE FROM ff_lease_event AS t USING item
    WHERE t.execution_id = item.execution_id::text AND t.partition_key = item.partition_key
),
completion_events AS (
    DELETE FROM ff_completion_event AS t USING item
    WHERE t.execution_id = item.execution_id AND t.partition_key = item.partition_key
),
operator_events AS (
    DELETE FROM ff_operator_event AS t USING item
    WHERE t.execution_id = item.execution_id::text AND t.partition_key = item.partition_key
),
-- In the order in which they are let go.
held AS MATERIALIZED (
    SELECT m.partition_key, m.flow_id, m.execution_id
    FROM item
    JOIN ff_cancel_backlog_member AS m
        ON m.execution_id = item.execution_id AND m.partition_key = item.partition_key
    ORDER BY m.execution_id, m.partition_key, m.flow_id
    FOR UPDATE OF m
)
DELETE FROM ff_cancel_backlog_member AS t USING held
WHERE t.partition_key = held.partition_key
    AND t.flow_id = held.flow_id
    AND t.execution_id = held.execution_id;
