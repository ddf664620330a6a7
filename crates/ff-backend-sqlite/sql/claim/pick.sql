-- $1: JSON array of lanes, $2: JSON array of capabilities, $3: now, $4: JSON array of executions to pass
-- by, $5: limit
WITH RECURSIVE lanes AS (
    SELECT DISTINCT item.value AS lane_id
    FROM json_each($1) AS item
    WHERE NOT EXISTS (
        SELECT 1 FROM ff_lane AS l WHERE l.lane_id = item.value AND l.state = 'paused'
    )
),
queues (lane_id, required_set) AS (
    SELECT lane.lane_id, (
        SELECT min(r.required_set) FROM ff_exec_core AS r
        WHERE r.lane_id = lane.lane_id
            AND r.lifecycle_phase IN ('submitted', 'runnable')
            AND r.eligibility_state = 'eligible_now'
    )
    FROM lanes AS lane
    UNION ALL
    SELECT q.lane_id, (
        SELECT min(r.required_set) FROM ff_exec_core AS r
        WHERE r.lane_id = q.lane_id
            AND r.required_set > q.required_set
            AND r.lifecycle_phase IN ('submitted', 'runnable')
            AND r.eligibility_state = 'eligible_now'
    )
    FROM queues AS q
    WHERE q.required_set IS NOT NULL
),
takeable AS (
    SELECT q.lane_id, q.required_set
    FROM queues AS q
    WHERE q.required_set IS NOT NULL
        AND NOT EXISTS (
            SELECT 1
            FROM json_each(CASE WHEN json_valid(q.required_set) THEN q.required_set ELSE '[]' END)
                AS needed
            WHERE needed.value NOT IN (SELECT value FROM json_each($2))
        )
),
picked AS (
    SELECT row FROM (
        SELECT r.rowid AS row, r.priority, r.created_at_ms, r.execution_id, r.partition_key
        FROM takeable AS queue
        CROSS JOIN ff_exec_core AS r
        WHERE r.rowid IN (
            SELECT ready.rowid FROM ff_exec_core AS ready
            WHERE ready.lane_id = queue.lane_id
                AND ready.required_set = queue.required_set
                AND ready.lifecycle_phase IN ('submitted', 'runnable')
                AND ready.eligibility_state = 'eligible_now'
                AND NOT EXISTS (
                    SELECT 1 FROM ff_execution_capabilities AS c
                    WHERE c.execution_id = ready.execution_id
                        AND c.capability NOT IN (SELECT value FROM json_each($2))
                )
                AND ready.execution_id NOT IN (SELECT unhex(value, '-') FROM json_each($4))
            ORDER BY ready.priority DESC, ready.created_at_ms, ready.execution_id,
                ready.partition_key
            LIMIT ($5 + 0)
        )
        UNION ALL
        SELECT due.rowid, due.priority, due.created_at_ms, due.execution_id, due.partition_key
        FROM lanes AS lane
        CROSS JOIN ff_exec_core AS due
        WHERE due.rowid IN (
            -- What is due is promoted soon: so many are enough to look at.
            SELECT next.rowid FROM ff_exec_core AS next
            WHERE next.lane_id = lane.lane_id
                AND next.lifecycle_phase IN ('submitted', 'runnable')
                AND next.eligibility_state = 'not_eligible_until_time'
                AND next.eligible_at_ms <= $3
                AND NOT EXISTS (
                    SELECT 1 FROM ff_execution_capabilities AS c
                    WHERE c.execution_id = next.execution_id
                        AND c.capability NOT IN (SELECT value FROM json_each($2))
                )
                AND next.execution_id NOT IN (SELECT unhex(value, '-') FROM json_each($4))
            ORDER BY next.eligible_at_ms
            LIMIT (max($5, 1000) + 0)
        )
    )
    ORDER BY priority DESC, created_at_ms, execution_id, partition_key
    LIMIT ($5 + 0)
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
    a.progress AS a_progress,
    e.payload, e.payload_encoding, e.rowid AS row_id
FROM picked
CROSS JOIN ff_exec_core AS e ON e.rowid = picked.row
LEFT JOIN ff_attempt AS a
    ON a.partition_key = e.partition_key
    AND a.execution_id = e.execution_id
    AND a.attempt_index = e.attempt_index
ORDER BY e.priority DESC, e.created_at_ms, e.execution_id, e.partition_key;
