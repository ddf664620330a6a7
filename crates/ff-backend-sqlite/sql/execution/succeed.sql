-- $1: JSON array of rows that were completed just now, $2: now, $3: path of the instance tag
WITH ended AS MATERIALIZED (
    SELECT e.partition_key, e.execution_id, e.attempt_index
    FROM json_each($1) AS item
    CROSS JOIN ff_exec_core AS e ON e.rowid = item.value
)
UPDATE ff_attempt AS a
SET outcome = 'success', terminal_at_ms = $2, lease_expires_at_ms = NULL
FROM ended
WHERE a.partition_key = ended.partition_key
    AND a.execution_id = ended.execution_id
    AND a.attempt_index = ended.attempt_index;

INSERT INTO ff_completion_event (
    partition_key, execution_id, flow_id, outcome, occurred_at_ms, namespace, instance_tag
)
SELECT
    e.partition_key,
    e.execution_id,
    e.flow_id,
    'success',
    $2,
    e.namespace,
    CASE WHEN json_valid(e.tags) THEN e.tags ->> $3 END
FROM json_each($1) AS item
CROSS JOIN ff_exec_core AS e ON e.rowid = item.value;
