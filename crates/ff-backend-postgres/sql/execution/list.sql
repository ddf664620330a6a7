-- $1: lanes, $2: public states or null, $3: namespace, $4: kind, $5: key of a tag, $6: the tag's value,
-- $7: created from, $8: created before, $9: cursor's creation time, $10: cursor's execution,
-- $11: cursor's partition, $12: limit
WITH RECURSIVE stored (lane_id, public_state) AS (
    SELECT lane.lane_id, (
        SELECT min(e.public_state) FROM ff_exec_core AS e WHERE e.lane_id = lane.lane_id
    )
    FROM unnest($1::text[]) AS lane (lane_id)
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
        AND ($2::text[] IS NULL OR s.public_state = ANY ($2::text[]))
)
SELECT
    e.partition_key, e.execution_id, e.flow_id, e.lane_id, e.namespace, e.execution_kind,
    e.creator_identity, e.tags::text AS tags, e.policy::text AS policy, e.priority, e.created_at_ms,
    e.deadline_at_ms,
    e.lifecycle_phase, e.ownership_state, e.eligibility_state, e.attempt_state, e.public_state,
    e.blocking_reason, e.cancellation_reason, e.cancelled_by, e.started_at_ms, e.terminal_at_ms,
    e.eligible_at_ms, e.retry_count, e.reclaim_count, e.attempt_index,
    e.raw_fields::text AS raw_fields,
    a.attempt_index AS a_attempt_index, a.worker_id AS a_worker_id,
    a.worker_instance_id AS a_worker_instance_id, a.lease_epoch AS a_lease_epoch,
    a.lease_expires_at_ms AS a_lease_expires_at_ms, a.started_at_ms AS a_started_at_ms,
    a.terminal_at_ms AS a_terminal_at_ms, a.outcome AS a_outcome, a.error::text AS a_error,
    a.progress::text AS a_progress
FROM wanted AS w
CROSS JOIN LATERAL (
    SELECT r.* FROM ff_exec_core AS r
    WHERE r.lane_id = w.lane_id
        AND r.public_state = w.public_state
        AND r.created_at_ms >= coalesce($9::bigint, $7)
        AND (
            $9::bigint IS NULL
            OR (r.created_at_ms, r.execution_id, r.partition_key) > ($9, $10::uuid, $11::bigint)
        )
        AND r.created_at_ms >= $7
        AND ($8::bigint IS NULL OR r.created_at_ms < $8)
        AND ($3::text IS NULL OR r.namespace = $3)
        AND ($4::text IS NULL OR r.execution_kind = $4)
        AND ($5::text IS NULL OR r.tags ->> $5 = $6)
    ORDER BY r.created_at_ms, r.execution_id, r.partition_key
    LIMIT $12
) AS e
LEFT JOIN ff_attempt AS a
    ON a.partition_key = ANY (ARRAY[e.partition_key])
    AND a.execution_id = e.execution_id
    AND a.attempt_index = e.attempt_index
ORDER BY e.created_at_ms, e.execution_id, e.partition_key
LIMIT $12;
