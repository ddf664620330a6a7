-- $1: partition, $2: execution, $3: execution as text
SELECT 0 AS stream_order, 'lease' AS stream, l.event_type AS name, NULL AS details,
    l.occurred_at_ms, l.event_id
FROM ff_lease_event AS l
WHERE l.execution_id = $3 AND l.partition_key = $1
UNION ALL
SELECT 1, 'completion', c.outcome, NULL, c.occurred_at_ms, c.event_id
FROM ff_completion_event AS c
WHERE c.execution_id = $2 AND c.partition_key = $1
UNION ALL
SELECT 2, 'operator', o.event_type, o.details::text, o.occurred_at_ms, o.event_id
FROM ff_operator_event AS o
WHERE o.execution_id = $3 AND o.partition_key = $1
ORDER BY 5, 1, 6;
