-- $1: partition, $2: flow, $3: type, $4: time, $5: details, $6: instance tag
INSERT INTO ff_operator_event (
    partition_key, execution_id, event_type, details, occurred_at_ms, namespace, instance_tag
)
SELECT f.partition_key, f.flow_id::text, $3, $5::text::jsonb, $4, f.namespace, f.tags ->> $6
FROM ff_flow_core AS f
WHERE f.partition_key = $1 AND f.flow_id = $2;
