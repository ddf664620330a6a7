-- $1: JSON array of lanes, $2: JSON array of capabilities, $3: now, $4: JSON array of executions to pass
-- by, $5: limit
WITH lanes AS (
    SELECT DISTINCT item.value AS lane_id
    FROM json_each($1) AS item
    WHERE NOT EXISTS (
        SELECT 1 FROM ff_lane AS l WHERE l.lane_id = item.value AND l.state = 'paused'
    )
)
SELECT EXISTS (
        SELECT r.rowid AS row, r.priority, r.created_at_ms, r.execution_id, r.partition_key
        FROM lanes AS lane
        CROSS JOIN ff_exec_core AS r
        WHERE r.rowid IN (
            SELECT ready.rowid FROM ff_exec_core AS ready
            WHERE ready.lane_id = lane.lane_id
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
            LIMIT $5
        )
        UNION ALL
        SELECT due.rowid, due.priority, due.created_at_ms, due.execution_id, due.partition_key
        FROM lanes AS lane
        CROSS JOIN ff_exec_core AS due
        WHERE due.lane_id = lane.lane_id
            AND due.lifecycle_phase IN ('submitted', 'runnable')
            AND due.eligibility_state = 'not_eligible_until_time'
            AND due.eligible_at_ms <= $3
            AND NOT EXISTS (
                SELECT 1 FROM ff_execution_capabilities AS c
                WHERE c.execution_id = due.execution_id
                    AND c.capability NOT IN (SELECT value FROM json_each($2))
            )
            AND due.execution_id NOT IN (SELECT unhex(value, '-') FROM json_each($4))
) AS found;
