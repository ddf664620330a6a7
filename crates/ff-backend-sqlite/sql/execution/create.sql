-- $1: JSON array of new executions
INSERT INTO ff_idempotency (namespace, lane_id, idempotency_key, partition_key, execution_id)
SELECT
    item.value ->> 'namespace',
    item.value ->> 'lane_id',
    item.value ->> 'idempotency_key',
    item.value ->> 'partition_key',
    unhex(item.value ->> 'execution_id', '-')
FROM json_each($1) AS item
WHERE item.value ->> 'idempotency_key' IS NOT NULL
    AND NOT EXISTS (
        SELECT 1 FROM ff_exec_core AS e
        WHERE e.partition_key = item.value ->> 'partition_key'
            AND e.execution_id = unhex(item.value ->> 'execution_id', '-')
    )
ON CONFLICT DO NOTHING;

INSERT INTO ff_exec_core (
    partition_key, execution_id, lane_id, lifecycle_phase, ownership_state, eligibility_state,
    public_state, attempt_state, priority, created_at_ms, eligible_at_ms, deadline_at_ms, payload,
    policy, namespace, execution_kind, creator_identity, payload_encoding, tags, required_set
)
SELECT
    item.value ->> 'partition_key',
    unhex(item.value ->> 'execution_id', '-'),
    item.value ->> 'lane_id',
    item.value ->> 'lifecycle_phase',
    item.value ->> 'ownership_state',
    item.value ->> 'eligibility_state',
    item.value ->> 'public_state',
    item.value ->> 'attempt_state',
    item.value ->> 'priority',
    item.value ->> 'created_at_ms',
    item.value ->> 'eligible_at_ms',
    item.value ->> 'deadline_at_ms',
    unhex(item.value ->> 'payload'),
    item.value ->> 'policy',
    item.value ->> 'namespace',
    item.value ->> 'execution_kind',
    item.value ->> 'creator_identity',
    item.value ->> 'payload_encoding',
    item.value ->> 'tags',
    CASE item.value ->> 'required_capabilities'
        WHEN '[]' THEN ''
        ELSE item.value ->> 'required_capabilities'
    END
FROM json_each($1) AS item
WHERE item.value ->> 'idempotency_key' IS NULL
    OR EXISTS (
        SELECT 1 FROM ff_idempotency AS k
        WHERE k.namespace = item.value ->> 'namespace'
            AND k.lane_id = item.value ->> 'lane_id'
            AND k.idempotency_key = item.value ->> 'idempotency_key'
            AND k.partition_key = item.value ->> 'partition_key'
            AND k.execution_id = unhex(item.value ->> 'execution_id', '-')
    )
ON CONFLICT (partition_key, execution_id) DO NOTHING
RETURNING partition_key, execution_id;

INSERT INTO ff_lane (lane_id)
SELECT DISTINCT e.lane_id
FROM json_each($1) AS item
CROSS JOIN ff_exec_core AS e
    ON e.partition_key = item.value ->> 'partition_key'
    AND e.execution_id = unhex(item.value ->> 'execution_id', '-')
WHERE true
ON CONFLICT DO NOTHING;
