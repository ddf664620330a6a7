-- $1: event id of the cursor or null, $2: limit
SELECT event_id, partition_key, hex(execution_id) AS execution_id,
    CASE WHEN flow_id IS NOT NULL THEN hex(flow_id) END AS flow_id, outcome AS name, NULL AS details,
    occurred_at_ms, namespace, instance_tag
FROM ff_completion_event
WHERE event_id > coalesce($1, 0)
ORDER BY event_id
LIMIT ($2 + 0);
