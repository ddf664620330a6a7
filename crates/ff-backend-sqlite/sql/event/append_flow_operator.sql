-- $1: flow as text, $2: event type, $3: its details, $4: when, $5: path of the instance tag
INSERT INTO ff_operator_event (
    partition_key, execution_id, event_type, details, occurred_at_ms, namespace, instance_tag
)
SELECT
    f.partition_key, $1, $2, $3, $4, f.namespace,
    CASE WHEN json_valid(f.tags) THEN f.tags ->> $5 END
FROM ff_flow_core AS f
WHERE f.partition_key = 0 AND f.flow_id = unhex($1, '-');
