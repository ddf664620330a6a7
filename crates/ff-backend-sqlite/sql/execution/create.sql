-- The row of an execution. A row without a partition is none.
INSERT INTO ff_exec_core (
    partition_key, execution_id, lane_id, lifecycle_phase, ownership_state, eligibility_state,
    public_state, attempt_state, priority, created_at_ms, eligible_at_ms, deadline_at_ms, payload,
    policy, namespace, execution_kind, creator_identity, payload_encoding, tags, required_set
)
SELECT * FROM (
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
)
WHERE column1 IS NOT NULL
ON CONFLICT (partition_key, execution_id) DO NOTHING;
