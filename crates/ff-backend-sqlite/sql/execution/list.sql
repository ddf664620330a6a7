-- $1: JSON array of lanes, $2: JSON array of public states or null, $3: namespace, $4: kind, $5: path of a tag,
-- $6: the tag's value, $7: created from, $8: created before, $9: cursor's creation time,
-- $10: cursor's execution, $11: cursor's partition, $12: limit
WITH RECURSIVE stored (lane_id, public_state) AS (
    SELECT lane.value, (
        SELECT min(e.public_state) FROM ff_exec_core AS e WHERE e.lane_id = lane.value
    )
    FROM json_each($1) AS lane
    UNION ALL
    SELECT s.lane_id, (
        SELECT min(e.public_state) FROM ff_exec_core AS e
        WHERE e.lane_id = s.lane_id AND e.public_state > s.public_state
    )
    FROM stored AS s
    WHERE s.public_state IS NOT NULL
),
wanted AS (
    SELECT s.lane_id, s.public_state
    FROM stored AS s
    WHERE s.public_state IS NOT NULL
        AND ($2 IS NULL OR s.public_state IN (SELECT value FROM json_each($2)))
)
SELECT
    e.partition_key, e.execution_id, e.flow_id, e.lane_id, e.namespace, e.execution_kind,
    e.creator_identity, e.tags, e.policy, e.priority, e.created_at_ms, e.deadline_at_ms,
    e.lifecycle_phase, e.ownership_state, e.eligibility_state, e.attempt_state, e.public_state,
    e.blocking_reason, e.cancellation_reason, e.cancelled_by, e.started_at_ms, e.terminal_at_ms,
    e.eligible_at_ms, e.retry_count, e.reclaim_count, e.attempt_index, e.raw_fields,
    a.attempt_index AS a_attempt_index, a.worker_id AS a_worker_id,
    a.worker_instance_id AS a_worker_instance_id, a.lease_epoch AS a_lease_epoch,
    a.lease_expires_at_ms AS a_lease_expires_at_ms, a.started_at_ms AS a_started_at_ms,
    a.terminal_at_ms AS a_terminal_at_ms, a.outcome AS a_outcome, a.error AS a_error,
    a.progress AS a_progress
FROM wanted AS w
CROSS JOIN ff_exec_core AS e
LEFT JOIN ff_attempt AS a
    ON a.partition_key = e.partition_key
    AND a.execution_id = e.execution_id
    AND a.attempt_index = e.attempt_index
WHERE e.rowid IN (
    SELECT r.rowid FROM ff_exec_core AS r
    WHERE r.lane_id = w.lane_id
        AND r.public_state = w.public_state
        AND r.created_at_ms >= coalesce($9, $7)
        AND ($9 IS NULL OR (r.created_at_ms, r.execution_id, r.partition_key) > ($9, $10, $11))
        AND r.created_at_ms >= $7
        AND ($8 IS NULL OR r.created_at_ms < $8)
        AND ($3 IS NULL OR r.namespace = $3)
        AND ($4 IS NULL OR r.execution_kind = $4)
        AND ($5 IS NULL OR CASE WHEN json_valid(r.tags) THEN r.tags ->> $5 = $6 END)
    ORDER BY r.created_at_ms, r.execution_id, r.partition_key
    LIMIT ($12 + 0)
)
ORDER BY e.created_at_ms, e.execution_id, e.partition_key
LIMIT ($12 + 0);
