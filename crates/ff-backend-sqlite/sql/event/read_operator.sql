-- $1: event id of the cursor or null, $2: limit
SELECT event_id, partition_key, execution_id, NULL AS flow_id, event_type AS name, details,
    occurred_at_ms, namespace, instance_tag
FROM ff_operator_event
WHERE event_id > coalesce($1, 0)
ORDER BY event_id
LIMIT ($2 + 0);
